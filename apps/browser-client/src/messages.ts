import type { DeviceError } from "@pipecat-ai/client-js";

/** Something to tell the person. `error`: it does not work; `info`: it was meant to be so. */
export interface Notice {
  readonly tone: "error" | "info";
  readonly text: string;
  /** Whether the person is to give the runner's API key. */
  readonly asksKey?: true;
}

const again = "Press Connect to try again.";

export const notSecure =
  "Browsers give a page its microphone and its sound only over HTTPS or on localhost. Open this page at an https:// address, or on the machine that runs the runner at http://localhost.";

export const noTransport =
  "This runner offers no way to talk to it. Add a transport to the bot's project, for example @pipecat-ts/runner-websocket, and start the runner again.";

export const noConsole =
  "This runner offers no way to talk to it from a browser. What it offers is explained here; to talk from a browser, add a transport that browsers speak to the bot's project, for example @pipecat-ts/runner-websocket.";

export function unreachable(url: string): string {
  return `The runner at ${new URL(url).origin} does not answer. It may have stopped.`;
}

export function refused(method: string, url: string, answer: string): string {
  return `The runner answered ${method} ${new URL(url).pathname} with ${answer}.`;
}

export function notJson(method: string, url: string): string {
  return `The answer to ${method} ${new URL(url).pathname} was not the runner's: something else may be answering in its place.`;
}

/** Why `POST /start` failed: `reason` is the client library's message, which is the runner's `detail` where it gave one. */
export function startFailed(url: string, error: unknown): Notice {
  if (error instanceof SyntaxError) return { tone: "error", text: `${notJson("POST", url)} ${again}` };
  const { status } = Object(error) as { readonly status?: unknown };
  if (status === 401) return { tone: "error", text: "This runner takes callers with its API key.", asksKey: true };
  const reason = error instanceof Error ? error.message : String(error);
  if (/^(failed to fetch|load failed|networkerror)/i.test(reason))
    return { tone: "error", text: `${unreachable(url)} ${again}` };
  if (reason === "Timed out")
    return { tone: "error", text: `The runner took too long to answer POST ${new URL(url).pathname}. ${again}` };
  return { tone: "error", text: `The session could not be started: ${sentence(reason)} ${again}` };
}

export const keyKept: Notice = {
  tone: "info",
  text: "The key is kept until this tab is closed. Press Connect to use it.",
};

export function connectFailed(error: unknown): Notice {
  const reason = error instanceof Error ? error.message : String(error);
  if (reason.includes("WebSocket connection error"))
    return {
      tone: "error",
      text: `The runner did not accept the WebSocket: it may be full, or have stopped. ${again}`,
    };
  return { tone: "error", text: `The connection to the bot could not be made: ${sentence(reason)} ${again}` };
}

/** Reload, and not Connect: the browser makes one connection to a server at a time, and the client library never gives up this one. */
export function socketTimedOut(seconds: number): Notice {
  return { tone: "error", text: `${notConnected(seconds)} Reload the page to try again.` };
}

/** The offer was answered, and no path was found: most often one that lets HTTP through and no UDP. */
export function peerTimedOut(seconds: number): Notice {
  return {
    tone: "error",
    text: `${notConnected(seconds)} A firewall may be in the way of WebRTC. Press Connect to try again, or choose another transport.`,
  };
}

function notConnected(seconds: number): string {
  return `The connection to the bot was not made within ${seconds} seconds.`;
}

export function botSilent(seconds: number): Notice {
  return {
    tone: "error",
    text: `Connected, but the bot has not said for ${seconds} seconds that it is ready. The runner's log may say why.`,
  };
}

export const botLeft: Notice = { tone: "info", text: "The bot ended the call." };

/** Over WebRTC, the word for this is the same whether the bot finished, failed, or was stopped. */
export const peerLeft: Notice = {
  tone: "info",
  text: "The bot's side ended the call. If that was not meant to be, the runner's log says why.",
};

export const lost: Notice = {
  tone: "error",
  text: `The connection to the runner was lost: it stopped, or the network did. ${again}`,
};

/** A problem that the client library or the bot reported while the call was on. */
export function reported(text: string): Notice {
  const code = /^websocket connection closed\. Code: (\d+)/.exec(text)?.[1];
  return code === undefined ? { tone: "error", text: `The bot reported: ${sentence(text)}` } : closed(Number(code));
}

/** Why the WebSocket was closed by the other side: RFC 6455's close codes. */
function closed(code: number): Notice {
  switch (code) {
    case 1000:
      return botLeft;
    case 1001:
      return { tone: "info", text: `The runner is shutting down and ended the call. ${again}` };
    case 1006:
      return lost;
    case 1011:
      return { tone: "error", text: `The bot failed, and the call was ended. The runner's log says why. ${again}` };
    default:
      return { tone: "error", text: `The runner ended the call with code ${code}. ${again}` };
  }
}

export function microphoneFailed(type: DeviceError["type"], reason: string): Notice {
  const goesOn = "The bot cannot hear you; you can hear it and write to it.";
  const whys: Readonly<Record<DeviceError["type"], string>> = {
    permissions:
      "The microphone is blocked. Allow it in the browser's address bar or settings, then disconnect and connect again.",
    "not-found": "There is no microphone. Plug one in, then disconnect and connect again.",
    "in-use":
      "The microphone cannot be opened: another program may be using it. Close that, then disconnect and connect again.",
    constraints: "The chosen microphone cannot be used. Choose another one.",
    "undefined-mediadevices": notSecure,
    unknown: `The microphone cannot be opened: ${sentence(reason)}`,
  };
  return { tone: "error", text: `${whys[type]} ${goesOn}` };
}

function sentence(text: string): string {
  const trimmed = text.trim();
  return /[.!?]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}
