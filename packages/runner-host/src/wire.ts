import { AsyncLocalStorage } from "node:async_hooks";
import type { CallData, CloseReason, Logger, SocketRoute } from "@pipecat-ts/runner-core";
import type { HostSession, SessionObserver } from "@pipecat-ts/runner-sessions";
import type { Context, Next } from "koa";

/** What a `WireObserver` learns about a session. Text is as it was on the wire. */
export type WireEvent =
  /** The session is created, its bot starts, its bot has its transport, or everything is released. */
  | { readonly type: "state"; readonly state: "pending" | "connected" }
  /** `callData` and `body`: those of the bot. Without the default body of the runner. */
  | {
      readonly type: "state";
      readonly state: "active";
      readonly callData?: CallData | undefined;
      readonly body?: unknown;
    }
  | { readonly type: "state"; readonly state: "ended"; readonly reason: CloseReason }
  /** A request that created, found or named the session. `durationMs`: from the request to the end of the response. */
  | {
      readonly type: "http";
      readonly method: string;
      /** Path and query. */
      readonly url: string;
      readonly contentType?: string | undefined;
      readonly body?: string | undefined;
      readonly status: number;
      readonly replyType?: string | undefined;
      readonly reply?: string | undefined;
      readonly durationMs: number;
    }
  /** A WebSocket is open. Its number distinguishes it from the others of the runner. `secrets`: those in the URL. */
  | {
      readonly type: "open";
      readonly socket: number;
      readonly url: string;
      readonly secrets?: readonly string[] | undefined;
    }
  | {
      readonly type: "message";
      readonly socket: number;
      readonly from: "caller" | "bot";
      readonly data: string | Uint8Array;
      /** Whether it carries audio or pictures. */
      readonly isMedia: boolean;
    }
  | {
      readonly type: "close";
      readonly socket: number;
      readonly by: "caller" | "bot";
      readonly code: number;
      readonly reason: string;
    }
  /** A message between the caller's application and the bot, on any transport. */
  | { readonly type: "app"; readonly from: "caller" | "bot"; readonly message: unknown }
  /** A key that the caller pressed, on any transport. */
  | { readonly type: "key"; readonly key: string };

/** The session of an event. `owner` is the name of its plugin, `transport` that of the bot's transport. */
export type WireSession = Pick<HostSession, "id" | "owner" | "transport">;

/**
 * Learns what callers and bots send through the host: HTTP, WebSockets, and the messages and keys of every transport. Media of
 * transports with sockets of their own is not among it.
 */
export interface WireObserver {
  /**
   * `atMs` is when it happened, on the scale of `performance.now()`; a request is reported at its end. Must not throw, and must copy
   * bytes that it keeps.
   */
  observe(session: WireSession, event: WireEvent, atMs: number): void;
  /** The runner is closed. `runner.close()` waits for it. */
  close?(): Promise<void>;
}

/** The events of one WebSocket, which are held until its session is known. */
export interface SocketTap {
  /** Its session. The first one counts. */
  bind(session: WireSession): void;
  /** Runs a handler, which may create or find the session. */
  within<Result>(work: () => Result): Result;
  received(data: Buffer, isBinary: boolean): void;
  sent(data: string | Uint8Array): void;
  /** The runner closes the socket. */
  closing(): void;
  closed(code: number, reason: string): void;
}

/** Reports the traffic of one runner to an observer. */
export interface Wire {
  /** Reports the request, if it concerns a session. Use it around all other middleware. */
  middleware(ctx: Context, next: Next): Promise<void>;
  /** The request or socket that is being handled concerns this session. */
  touched(session: WireSession): void;
  /** The bot of the session has its transport. */
  connected(session: WireSession): void;
  openSocket(url: URL, route: SocketRoute): SocketTap;
  /** An observer that reports to `other` too. */
  sessionObserver(other: SessionObserver | undefined): SessionObserver;
}

/** Events of a socket that are held until its session is known, and their bytes. Carriers may send 1 s of audio before. */
const maxHeld = 100;
const maxHeldBytes = 256 * 1024;

export function createWire(observer: WireObserver, logger: Logger): Wire {
  /** The request or socket that is being handled. */
  const handled = new AsyncLocalStorage<{ readonly beganAtMs: number; touch(session: WireSession): void }>();
  let sockets = 0;
  let failed = false;

  function report(session: WireSession, event: WireEvent, atMs = performance.now()): void {
    try {
      observer.observe(session, event, atMs);
    } catch (err) {
      if (!failed) logger.error({ err }, "capture of messages failed; calls continue");
      failed = true;
    }
  }

  return {
    async middleware(ctx, next) {
      const beganAtMs = performance.now();
      let sessions: Set<WireSession> | undefined = new Set();
      await handled.run({ beganAtMs, touch: (session) => sessions?.add(session) }, next);
      const touched = [...sessions];
      sessions = undefined; // A bot that this request started keeps the store.
      if (touched.length === 0) return;
      const { rawBody } = ctx.request as { readonly rawBody?: string };
      const event: WireEvent = {
        type: "http",
        method: ctx.method,
        // Without the host that a client may put in front.
        url: ctx.path + ctx.search,
        contentType: ctx.get("content-type") || undefined,
        body: rawBody,
        status: ctx.status,
        replyType: ctx.response.type || undefined,
        reply: textOf(ctx.body),
        durationMs: performance.now() - beganAtMs,
      };
      for (const session of touched) report(session, event);
    },
    touched: (session) => handled.getStore()?.touch(session),
    connected: (session) => report(session, { type: "state", state: "connected" }),
    openSocket(url, { isMedia = (message) => typeof message !== "string", secretParameters }) {
      const socket = ++sockets;
      const beganAtMs = performance.now();
      const held: (readonly [event: WireEvent, atMs: number])[] = [];
      let session: WireSession | undefined;
      let heldBytes = 0;
      let by: "caller" | "bot" = "caller";

      function emit(event: WireEvent): void {
        if (session) {
          report(session, event);
          return;
        }
        heldBytes += event.type === "message" ? event.data.length : 0;
        if (held.length < maxHeld && heldBytes <= maxHeldBytes) held.push([event, performance.now()]);
      }

      function bind(to: WireSession): void {
        if (session) return;
        session = to;
        for (const [event, atMs] of held.splice(0)) report(to, event, atMs);
      }

      const secrets = secretParameters?.flatMap((name) => url.searchParams.getAll(name));
      emit({ type: "open", socket, url: url.pathname + url.search, ...(secrets && { secrets }) });
      return {
        bind,
        within: (work) => (session ? work() : handled.run({ beganAtMs, touch: bind }, work)),
        received(bytes, isBinary) {
          const data = isBinary ? (session ? bytes : Buffer.from(bytes)) : bytes.toString();
          emit({ type: "message", socket, from: "caller", data, isMedia: isMedia(data) });
        },
        sent: (data) => emit({ type: "message", socket, from: "bot", data, isMedia: isMedia(data) }),
        closing() {
          by = "bot";
        },
        closed: (code, reason) => emit({ type: "close", socket, by, code, reason }),
      };
    },
    sessionObserver(other) {
      return {
        ...other,
        changed(session, reason) {
          const { state, callData } = session;
          if (state === "ended") report(session, { type: "state", state, reason: reason ?? "bot-finished" });
          else if (state === "active") {
            const body = copyOf(session.body);
            report(session, {
              type: "state",
              state,
              ...(callData && { callData }),
              ...(body !== undefined && { body }),
            });
          } else report(session, { type: "state", state }, handled.getStore()?.beganAtMs);
          other?.changed?.(session, reason);
        },
        message(session, from, message) {
          const copy = copyOf(message);
          if (copy !== undefined) report(session, { type: "app", from, message: copy });
          other?.message?.(session, from, message);
        },
        key(session, key) {
          report(session, { type: "key", key });
          other?.key?.(session, key);
        },
      };
    },
  };
}

/** A message or body as its receiver gets it; `undefined` for values that JSON cannot represent. */
function copyOf(value: unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(value));
  } catch {
    return undefined; // The transport rejects it.
  }
}

/** The text of a response; `undefined` for streams and bytes. */
function textOf(body: unknown): string | undefined {
  if (typeof body === "string") return body;
  const isData =
    typeof body === "object" &&
    body !== null &&
    [Object.prototype, Array.prototype].includes(Object.getPrototypeOf(body));
  return isData ? JSON.stringify(body) : undefined;
}
