import type { DeviceError } from "@pipecat-ai/client-js";

/** A message to the user. `error`: something failed; `info`: it was intended. */
export interface Notice {
  readonly tone: "error" | "info";
  readonly text: string;
  /** Whether to ask for the runner's API key. */
  readonly asksKey?: true;
}

const again = "Press Connect to try again.";

export const notSecure =
  "Browsers allow access to the microphone only over HTTPS or on localhost. Open this page at an https:// address, or at http://localhost on the machine where the runner runs.";

export const noTransport =
  "This runner has no transport. Add one to the bot's project, for example @pipecat-ts/runner-websocket, and restart the runner.";

export const noConsole =
  "This page supports none of the runner's transports. To talk from a browser, add @pipecat-ts/runner-webrtc or @pipecat-ts/runner-websocket to the bot's project.";

export function unreachable(url: string): string {
  return `The runner at ${new URL(url).origin} does not answer. It may have stopped.`;
}

export function rejected(method: string, url: string, answer: string): string {
  return `The runner answered ${method} ${new URL(url).pathname} with ${answer}.`;
}

export function notFromRunner(method: string, url: string): string {
  return `The answer to ${method} ${new URL(url).pathname} did not come from the runner. Another server may use this address.`;
}

/** Explains why `POST /start` failed. `error` is from the client library; its message is the runner's `detail`, if there was one. */
export function startFailed(url: string, error: unknown): Notice {
  if (error instanceof SyntaxError) return { tone: "error", text: `${notFromRunner("POST", url)} ${again}` };
  const { status } = Object(error) as { readonly status?: unknown };
  if (status === 401) return { tone: "error", text: "This runner requires an API key.", asksKey: true };
  const reason = error instanceof Error ? error.message : String(error);
  if (/^(failed to fetch|load failed|networkerror)/i.test(reason))
    return { tone: "error", text: `${unreachable(url)} ${again}` };
  if (reason === "Timed out")
    return { tone: "error", text: `The runner took too long to answer POST ${new URL(url).pathname}. ${again}` };
  return { tone: "error", text: `The session could not be started: ${sentence(reason)} ${again}` };
}

export const keyStored: Notice = {
  tone: "info",
  text: "The API key is stored until you close this tab. Press Connect to use it.",
};

export function connectFailed(error: unknown): Notice {
  const reason = error instanceof Error ? error.message : String(error);
  if (reason.includes("WebSocket connection error"))
    return {
      tone: "error",
      text: `The runner did not accept the WebSocket. It may be at capacity, or have stopped. ${again}`,
    };
  return { tone: "error", text: `The connection to the bot failed: ${sentence(reason)} ${again}` };
}

/** Only a reload helps: a browser opens one WebSocket to a server at a time, and the client library never cancels this one. */
export function websocketTimedOut(seconds: number): Notice {
  return { tone: "error", text: `${notConnected(seconds)} Reload the page to try again.` };
}

/** The offer was answered, but ICE failed. The usual cause is a network that allows HTTP but blocks UDP. */
export function webrtcTimedOut(seconds: number): Notice {
  return {
    tone: "error",
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

const botLeft: Notice = { tone: "info", text: "The bot ended the call." };

/** WebRTC reports the same event whether the bot finished, failed or was stopped. */
export const webrtcBotLeft: Notice = {
  tone: "info",
  text: "The bot or the runner ended the call. If you did not expect this, check the runner's log.",
};

export const connectionLost: Notice = {
  tone: "error",
  text: `The connection to the runner was lost. Either the runner stopped or the network failed. ${again}`,
};

/** A problem that the client library or the bot reported during the call. */
export function reported(text: string): Notice {
  const code = /^websocket connection closed\. Code: (\d+)/.exec(text)?.[1];
  return code === undefined ? { tone: "error", text: `The bot reported: ${sentence(text)}` } : closed(Number(code));
}

/** Explains why the runner closed the WebSocket. The codes are those of RFC 6455. */
function closed(code: number): Notice {
  switch (code) {
    case 1000:
      return botLeft;
    case 1001:
      return { tone: "info", text: `The runner is shutting down and ended the call. ${again}` };
    case 1006:
      return connectionLost;
    case 1011:
      return { tone: "error", text: `The bot failed and the call ended. Check the runner's log. ${again}` };
    default:
      return { tone: "error", text: `The runner ended the call with code ${code}. ${again}` };
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
