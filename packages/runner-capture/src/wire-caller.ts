import { parseJson } from "@pipecat-ts/runner-core";
import { type Answer, callRejected, opened, send } from "@pipecat-ts/runner-core/caller";
import { WebSocket } from "ws";
import type { CapturedMessage, CaptureEvent } from "./format.ts";

/** Plays the caller's side of a capture. */
export interface ReplayCaller {
  play(event: CaptureEvent): Promise<void>;
  /** Hangs up, unless the call has ended. */
  close(): Promise<void>;
}

/** How long the runner may take to close a socket, in ms. */
const closeMs = 1_000;

/** Sends `message`, and resolves when the runner has handled it, or the socket is gone. */
export type HandledMessage = (message: () => void, gone: Promise<unknown>) => Promise<void>;

/** Sends what a caller sent in a capture, over HTTP and WebSockets, to a runner on this machine. */
export function createWireCaller(runner: URL, handled: HandledMessage): ReplayCaller {
  const sockets = new Map<number, { readonly socket: WebSocket; readonly closed: Promise<unknown> }>();
  /** Requests without a response, and when they had one in the capture. */
  let requests: { readonly endedAt: number; readonly answered: Promise<void> }[] = [];

  async function request(event: CaptureEvent & { readonly type: "http" }): Promise<void> {
    const { method, url, contentType, body } = event;
    const answer: Answer = await send(new URL(url, runner), {
      method,
      headers: contentType === undefined ? {} : { "content-type": contentType },
      ...(body !== undefined && { body: isStart(url) ? withoutDial(body) : body }),
    });
    if (answer.status >= 400 && event.status < 400) throw callRejected(answer);
  }

  async function open(number: number, url: string): Promise<void> {
    const target = new URL(url, runner);
    target.protocol = "ws:";
    const socket = new WebSocket(target);
    // Never rejects, unlike `once` of node:events: `opened` reports a failure.
    const closed = new Promise((resolve) => socket.once("close", resolve));
    // Before it is open: the call may be hung up while nobody answers.
    sockets.set(number, { socket, closed });
    await opened(socket);
  }

  async function say({ socket: number, text, base64 }: CapturedMessage): Promise<void> {
    const data = text ?? (base64 === undefined ? undefined : Buffer.from(base64, "base64"));
    const { socket, closed } = sockets.get(number) ?? {};
    if (data === undefined || !socket || !closed || socket.readyState !== socket.OPEN) return;
    await handled(() => socket.send(data), closed);
  }

  async function close(number: number, code = 1000): Promise<void> {
    const { socket, closed } = sockets.get(number) ?? {};
    if (!socket || socket.readyState === socket.CLOSED) return;
    // Codes of a lost connection, and of a close frame without a code.
    if (code === 1006) socket.terminate();
    else if (code === 1005) socket.close();
    else socket.close(code);
    const timer = setTimeout(() => socket.terminate(), closeMs);
    await closed;
    clearTimeout(timer);
  }

  return {
    async play(event) {
      await Promise.all(requests.filter(({ endedAt }) => endedAt <= event.t).map(({ answered }) => answered));
      requests = requests.filter(({ endedAt }) => endedAt > event.t);
      if (event.type === "http") {
        const answered = request(event);
        answered.catch(() => undefined); // A later event, or `close`, gets the error.
        requests.push({ endedAt: event.t + event.durationMs, answered });
      } else if (event.type === "open") await open(event.socket, event.url);
      else if (event.type === "message" && event.from === "caller") await say(event);
      else if (event.type === "close" && event.by === "caller") await close(event.socket, event.code);
    },
    async close() {
      for (const number of sockets.keys()) await close(number);
      await Promise.all(requests.map(({ answered }) => answered));
    },
  };
}

/** A replay calls nobody: the caller who answered is in the capture. */
function withoutDial(body: string): string {
  if (!hasDial(body)) return body;
  const { dial: _, ...rest } = Object(parseJson(body).value);
  return JSON.stringify(rest);
}

/** Whether a path with its query is that of start requests. */
export function isStart(url: string): boolean {
  return new URL(url, "http://localhost").pathname === "/start";
}

/** Whether the body of a start request asks the runner to call somebody. */
export function hasDial(body: string): boolean {
  const { value } = parseJson(body);
  return typeof value === "object" && value !== null && "dial" in value;
}
