import type { DeviceError } from "@pipecat-ai/client-js";

/** A message to the user. `error`: something failed; `info`: it was intended. */
export interface Notice {
  readonly tone: "error" | "info";
  /** What happened to the call, in a few words. Missing if it continues. */
  readonly title?: string;
  readonly text: string;
  /** Asks for the runner's API key: `wrong` if the stored one was rejected. */
  readonly key?: "missing" | "wrong";
}

/** An error with its text for the user. */
export class NoticeError extends Error {
  readonly notice: Notice;

  constructor(notice: Notice) {
    super(notice.text);
    this.notice = notice;
  }
}

const again = "Press Connect to try again.";

export const notSecure =
  "Browsers allow access to the microphone only over HTTPS or on localhost. Open this page at an https:// address, or at http://localhost on the machine where the runner runs.";

export const noTransport =
  "This runner has no transport. To add one, run this command in the bot's project, and restart the runner:";

export const noConsole =
  "To talk to the bot on this page as well, run this command in the bot's project, and restart the runner:";

/** Installs the transport that this page prefers. */
export const installTransport = "npm install @pipecat-ts/runner-webrtc";

export const notLoaded: Notice = {
  tone: "error",
  title: "Could not connect",
  text: "A part of this page could not be loaded. The runner may have stopped or been updated. Reload the page.",
};

export function unreachable(url: string): string {
  return `The runner at ${new URL(url).origin} does not answer. It may have stopped.`;
}

export function rejected(method: string, url: string, answer: string): string {
  return `The runner answered ${method} ${new URL(url).pathname} with ${answer}.`;
}

export function notFromRunner(method: string, url: string): string {
  return `The answer to ${method} ${new URL(url).pathname} did not come from the runner. Another server may use this address.`;
}

/** Explains why `POST /start` failed. `hasKey`: whether the request had an API key. */
export function startFailed(url: string, error: unknown, hasKey = false): Notice {
  const { status } = Object(error) as { readonly status?: unknown };
  if (status === 401)
    return hasKey
      ? { tone: "error", title: "Wrong API key", text: "The runner rejected this API key.", key: "wrong" }
      : { tone: "info", title: "API key required", text: "This runner requires an API key.", key: "missing" };
  const failed = (text: string): Notice => ({ tone: "error", title: "Could not connect", text: `${text} ${again}` });
  if (error instanceof SyntaxError) return failed(notFromRunner("POST", url));
  if (error instanceof TypeError) return failed(unreachable(url));
  if (error instanceof DOMException && error.name === "TimeoutError")
    return failed(`The runner took too long to answer POST ${new URL(url).pathname}.`);
  const reason = error instanceof Error ? error.message : String(error);
  return failed(`The session could not be started: ${sentence(reason)}`);
}

export function connectFailed(error: unknown): Notice {
  const reason = error instanceof Error ? error.message : String(error);
  const text = reason.includes("WebSocket connection error")
    ? "The runner did not accept the WebSocket. It may be at capacity, or have stopped."
    : `The connection to the bot failed: ${sentence(reason)}`;
  return { tone: "error", title: "Could not connect", text: `${text} ${again}` };
}

/** Only a reload helps: a browser opens one WebSocket to a server at a time, and the client library never cancels this one. */
export function websocketTimedOut(seconds: number): Notice {
  return { tone: "error", title: "Could not connect", text: `${notConnected(seconds)} Reload the page to try again.` };
}

/** The offer was answered, but ICE failed. The usual cause is a network that allows HTTP but blocks UDP. */
export function webrtcTimedOut(seconds: number): Notice {
  return {
    tone: "error",
    title: "Could not connect",
    text: `${notConnected(seconds)} A firewall may block WebRTC. Press Connect to try again, or choose another transport.`,
  };
}

function notConnected(seconds: number): string {
  return `Could not connect to the bot within ${seconds} seconds.`;
}

export function botNotReady(seconds: number): Notice {
  return {
    tone: "error",
    text: `Connected, but the bot did not become ready within ${seconds} seconds. Check the runner's log.`,
  };
}

export const youHungUp: Notice = { tone: "info", title: "Call ended", text: "You ended the call." };

export const canceled: Notice = { tone: "info", title: "Canceled", text: "You canceled the call." };

const botLeft: Notice = { tone: "info", title: "Call ended", text: "The bot ended the call." };

/** WebRTC reports the same event whether the bot finished, failed or was stopped. */
export const webrtcBotLeft: Notice = {
  tone: "info",
  title: "Call ended",
  text: "The bot or the runner ended the call. If you did not expect this, check the runner's log.",
};

export const connectionLost: Notice = {
  tone: "error",
  title: "Connection lost",
  text: `The connection to the runner was lost. Either the runner stopped or the network failed. ${again}`,
};

const botReported = "The bot reported: ";

/** Whether the notice says what the bot itself reported. */
export function isReportOfBot({ text }: Notice): boolean {
  return text.startsWith(botReported);
}

/** A problem that the client library or the bot reported during the call, and whether it ends the call. */
export function reported(text: string, fatal = false): { readonly notice: Notice; readonly ends: boolean } {
  const code = /^websocket connection closed\. Code: (\d+)/.exec(text)?.[1];
  if (code !== undefined) return { notice: closed(Number(code)), ends: true };
  return {
    notice: { tone: "error", title: "The bot failed", text: `${botReported}${sentence(text)}` },
    ends: fatal,
  };
}

/** Explains why the runner closed the WebSocket. The codes are those of RFC 6455. */
function closed(code: number): Notice {
  switch (code) {
    case 1000:
      return botLeft;
    case 1001:
      return { tone: "info", title: "Call ended", text: `The runner is shutting down and ended the call. ${again}` };
    case 1006:
      return connectionLost;
    case 1011:
      return {
        tone: "error",
        title: "The bot failed",
        text: `The bot failed and the call ended. Check the runner's log. ${again}`,
      };
    default:
      return { tone: "error", title: "Call ended", text: `The runner ended the call with code ${code}. ${again}` };
  }
}

export function microphoneFailed(type: DeviceError["type"], reason: string): Notice {
  const consequence = "The bot cannot hear you, but you can hear it and send it text.";
  return deviceFailed("microphone", "disconnect and connect again", consequence, type, reason);
}

export function cameraFailed(type: DeviceError["type"], reason: string): Notice {
  return deviceFailed("camera", "turn it on again", "The call continues without it.", type, reason);
}

function deviceFailed(
  device: string,
  again: string,
  consequence: string,
  type: DeviceError["type"],
  reason: string,
): Notice {
  const reasons: Readonly<Record<DeviceError["type"], string>> = {
    permissions: `The ${device} is blocked. Allow it in the browser's address bar or settings, then ${again}.`,
    "not-found": `No ${device} was found. Plug one in, then ${again}.`,
    "in-use": `The ${device} could not be opened. Another program may be using it. Close that program, then ${again}.`,
    constraints: `The selected ${device} cannot be used. Choose another one.`,
    "undefined-mediadevices": notSecure,
    unknown: `The ${device} could not be opened: ${sentence(reason)}`,
  };
  return { tone: "error", text: `${reasons[type]} ${consequence}` };
}

function sentence(text: string): string {
  const trimmed = text.trim();
  return /[.!?]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}
