import type { IncomingMessage } from "node:http";
import type { Context, Next } from "koa";
import type { TSchema } from "typebox";
import type { WebSocket } from "ws";
import { RunnerError } from "./errors.ts";
import type { Logger } from "./logger.ts";
import type { OptionTable } from "./options.ts";
import type { Pacer } from "./port.ts";
import type { Session } from "./session.ts";
import type { RunnerSettings } from "./settings.ts";
import type { CloseReason } from "./transport.ts";

/** The version of the contract between the runner and its transports. */
export const contractVersion = 1;

/** A transport package's default export. Importing it has no effect; a runner opens it. */
export interface TransportPlugin<Options = unknown> {
  /** The contract version that the plugin was written for. A runner rejects any other. */
  readonly apiVersion: typeof contractVersion;
  /** The name in `/start`, `/status`, `--transport` and `args.transport`. */
  readonly name: string;
  /** Its flags and environment variables. */
  readonly options?: OptionTable<Options>;
  /** Whether it can run with these options, and if not, how to fix that. Opens nothing. */
  check?(options: Options, settings: RunnerSettings): Availability | Promise<Availability>;
  /** Adds the transport to a runner. `OpenTransport.close` releases what it opens. */
  open(runner: RunnerContext, options: Options): OpenTransport | Promise<OpenTransport>;
  /** Few transports need these. */
  readonly advanced?: {
    /** The default transport of `/start` is the one with the highest rank. Default 0. */
    readonly rank?: number;
    /** Opened also when the runner is restricted to another transport, and never chosen by `/start`: for a vendor's webhook. */
    readonly alwaysOpen?: boolean;
    /** Names that `--transport` still accepts for this transport, with a warning. */
    readonly formerNames?: readonly string[];
    /**
     * The value of `args.transport` in its bots, when it differs from `name`: for a service that uses the media of another
     * transport.
     */
    readonly runsAs?: string;
    /**
     * What `pipecat-runner doctor` checks for this transport, in order, when `check` does not say that it is unavailable. Each check
     * closes what it opens, and contacts only this machine, servers that the options name, and the vendor whose key they contain.
     */
    doctor?(options: Options, context: DoctorContext): readonly DoctorCheck[];
  };
}

/** One check of `pipecat-runner doctor`. */
export interface DoctorCheck {
  /** What is checked, without secrets: `TURN server turn.example.com:3478`. */
  readonly name: string;
  /**
   * Resolves with the result. A rejection is a failure, with the message and `fix` of the error. `signal` aborts after 5 s, and the
   * check has failed then.
   */
  run(signal: AbortSignal): DoctorResult | Promise<DoctorResult>;
}

/** The result of one check. `skipped`: there is nothing to check, or it cannot be checked; `fix` says how to change that. */
export type DoctorResult =
  | { readonly state: "passed"; readonly detail?: string }
  | { readonly state: "skipped"; readonly reason: string; readonly fix?: string }
  | { readonly state: "failed"; readonly reason: string; readonly fix: string };

/** What the checks of a transport may use. */
export interface DoctorContext {
  readonly settings: RunnerSettings;
  /**
   * Sends a request from this machine to a path below the public URL, and resolves with the request that arrives at the runner's
   * port. `create` gets the URL, which has a query, to sign it. Missing without a public URL that
   * leads to this port. Rejects with PUBLIC_URL_UNREACHABLE.
   */
  readonly roundTrip?: ((path: string, create: (url: URL) => SentRequest) => Promise<ReceivedRequest>) | undefined;
}

/** A request of `DoctorContext.roundTrip`. */
export interface SentRequest {
  readonly method: HttpMethod;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** How the request arrived. */
export interface ReceivedRequest {
  readonly request: IncomingMessage;
  readonly body: string;
}

/** Whether a transport can run here. `limited`: it runs, but lacks something. */
export type Availability =
  | { readonly state: "ready" }
  | { readonly state: "limited" | "unavailable"; readonly reason: string; readonly fix: string };

/** A transport in one runner. */
export interface OpenTransport {
  readonly routes?: readonly HttpRoute[];
  readonly sockets?: readonly SocketRoute[];
  /** Answers `POST /start`. Without it, `/start` and `/status` do not offer the transport. */
  start?(request: StartRequest): StartReply | Promise<StartReply>;
  /** Releases what `open` opened. Sessions and sockets of the host are closed already. */
  close?(): void | Promise<void>;
  /** Few transports need these. */
  readonly advanced?: {
    /** Whether a start request that names no transport is meant for this one. */
    claims?(body: StartBody): boolean;
    /** Runs a bot in a room that a platform has created, for `--cloud`. `body` is `args.body`. Throws AT_CAPACITY or DRAINING. */
    joinRoom?(room: { readonly url: string; readonly token: string; readonly body: unknown }): Session;
    /** Runs one bot without a server, until it ends. */
    direct?(): Promise<void>;
    /**
     * Loads what the first call needs, and leaves no socket or timer behind. The runner calls it once it listens, and `/readyz` gets
     * 503 until then. Calls may come earlier, and wait. A rejection is logged.
     */
    warmUp?(): Promise<void>;
    /** Lines for the banner under the transport's name, such as an address to call. */
    banner?(): readonly string[];
    /**
     * The process of a session ended without a chance to end it (`crashed`). Releases what a vendor still holds, such as a phone call.
     * Runs in another process; `record` is from `Session.rememberForCrash`.
     */
    cleanUpAfterCrash?(record: object): void | Promise<void>;
    /** Servers of the transport's own, as URLs with their real ports (`tcp://localhost:7000`): the banner lists them. */
    readonly listeners?: readonly string[];
  };
}

/** The JSON object of a start request. */
export interface StartBody {
  readonly transport?: string;
  /** `args.body` of the bot. */
  readonly body?: unknown;
  readonly [field: string]: unknown;
}

/** One `POST /start` for this transport. */
export interface StartRequest {
  readonly body: StartBody;
  readonly request: IncomingMessage;
}

/** The reply to `POST /start`. */
export interface StartReply {
  /** Sent as the `X-Session-Id` header. */
  readonly sessionId: string;
  /** The JSON reply, exactly as this transport's clients expect it. */
  readonly body: Readonly<Record<string, unknown>>;
  /**
   * Whether the transport's clients ignore keys that they do not know. The host then adds `fileUploadUrl`, unless uploads are
   * off.
   */
  readonly extensible?: boolean;
}

/**
 * Who may use a route.
 *
 * - `open`: anyone.
 * - `caller`: everyone who may start sessions. With `--api-key`, the host requires the key.
 * - `carrier`: a vendor's server, which the route verifies itself, for example with a signature. If nothing can verify it and
 *   `settings.requireAuth` is set, the route must reject it.
 *
 * With `--ws-auth token`, `caller` and `carrier` sockets require the token of a session; with only `--api-key`, a session's URL or
 * the key. Neither is required when `SocketRoute.verify` returns true for a request that names no session.
 */
export type Access = "open" | "caller" | "carrier";

/** The methods that a route may answer. */
export type HttpMethod = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** A request in a route. `request.body` is parsed according to its content type; `request.rawBody` is its text. */
export type RouteContext = Context & {
  readonly params: Readonly<Record<string, string>>;
  readonly request: { readonly body?: unknown; readonly rawBody?: string };
};

/** One HTTP route. Paths have the syntax of path-to-regexp 8: `/sessions/:sessionId/api/offer`, `/files/*path`. */
export interface HttpRoute {
  readonly method: HttpMethod | readonly HttpMethod[];
  /**
   * To let only one caller use the URL of a session, append a secret to the session's id with a dot: 16 or more characters of
   * `[A-Za-z0-9_-]`. `--capture` leaves it out.
   */
  readonly path: string;
  readonly access: Access;
  /** Set it on a `carrier` route that accepts unverified requests. On a public server, the banner lists it as unauthenticated. */
  readonly acceptsUnverified?: boolean;
  /** One line for `/openapi.json` and `/docs`. */
  readonly summary?: string;
  /** Largest body in bytes. Default 1 MiB. A larger body gets 413. */
  readonly maxBody?: number;
  /** The schema of the parsed body, also in `/openapi.json`. Other bodies get a 400 that names the field. */
  readonly schema?: TSchema;
  /** `next()` passes the request on: to the next route for this path, and finally to the web client. */
  handle(ctx: RouteContext, next: Next): unknown;
}

/** One WebSocket path. */
export interface SocketRoute {
  /** `/pigeon`. The host serves `/pigeon` and `/pigeon/{session id or token}`; `RunnerContext.socketUrl` returns the latter. */
  readonly path: string;
  readonly access: Access;
  /** Largest message in bytes. Default 1 MiB. A larger message closes the socket with 1009. */
  readonly maxPayload?: number;
  /**
   * Verifies a vendor's upgrade request. Returns true when the vendor sent it: a request that names no session then needs no
   * token and no API key. Returns false when nothing proves that. To reject the request, it returns a `Refusal` or throws a
   * RunnerError.
   */
  verify?(request: SocketUpgrade): boolean | Refusal | Promise<boolean | Refusal>;
  /**
   * Takes an open socket, and returns handlers for what arrives on it. The host owns the listeners: it calls the handlers in
   * the session's scope, in order, and starts with the first message. An exception ends this session only. Call `session.run`
   * in `accept` or in a handler, not later: this is how the host knows which socket carries the session.
   *
   * For a caller that `resumes` its session, `request.session` is active, and runs on this socket from now on.
   *
   * When `accept` throws, the host closes the socket: with 1013 for AT_CAPACITY and DRAINING, 1008 for other errors below
   * status 500, otherwise 1011.
   */
  accept(socket: CallerSocket, request: SocketRequest): SocketHandlers;
  /**
   * Whether an upgrade request whose URL names an active session comes from the caller of that session, which lost its connection. It
   * must prove that with a secret: other callers may know the URL. Default: a session takes one connection.
   */
  resumes?(request: SocketUpgrade): boolean;
  /**
   * Whether a message, text or binary, carries audio or pictures: `--capture` leaves it out by default. Default: binary messages
   * do. Must not throw.
   */
  isMedia?(message: string | Uint8Array): boolean;
  /** Query parameters whose values are secrets, which `--capture` replaces wherever they occur. */
  readonly secretParameters?: readonly string[];
}

/** The handlers of one socket. */
export interface SocketHandlers {
  /** One message. Text messages arrive as their UTF-8 bytes, with `isBinary` false. */
  message(data: Buffer, isBinary: boolean): void;
  /**
   * The socket is closed. `code` is the close code of RFC 6455: 1006 means that the connection was lost. If the runner rejected the
   * caller, it is the code with which it did. `reason` is `rate-exceeded` after a flood, and `transport-failed` after a message that is
   * malformed or too large.
   *
   * Afterwards the host reports `reason`, by default `caller-left`, for the session in `request.session`, or ends it. It does neither
   * if this returns `"hold"`: the session stays active without a socket, because the caller may resume. Call `Call.left` when it did
   * not. A socket whose session has been resumed on another one cannot end it.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: most handlers return nothing
  closed?(code: number, reason?: CloseReason): "hold" | undefined | void;
}

/** An upgrade request whose socket is not open yet. */
export interface SocketUpgrade {
  /** The session that the URL's id or token names: pending, or for `SocketRoute.resumes` active. */
  readonly session: Session | undefined;
  readonly url: URL;
  readonly request: IncomingMessage;
  /** Whether the caller presented the API key of the runner. */
  readonly hasKey: boolean;
}

/** The upgrade request of an open socket. */
export interface SocketRequest extends Omit<SocketUpgrade, "session"> {
  /**
   * The session of the caller: the pending session that the URL's id or token names, already checked; for an unannounced
   * caller a new session, created when this is read for the first time. Throws AT_CAPACITY or DRAINING then.
   */
  readonly session: Session;
  /** Whether the URL named the session. */
  readonly isAnnounced: boolean;
}

/** One caller's WebSocket. All methods are safe after it closed. */
export interface CallerSocket {
  readonly isOpen: boolean;
  /** Bytes in the send buffer. */
  readonly bufferedBytes: number;
  /** Sends a text or binary message. Does nothing when the socket is closed. */
  send(data: string | Uint8Array): void;
  /**
   * Sends a message, and resolves when the operating system has taken it. Rejects with MESSAGE_TOO_LARGE above `maxPayload`,
   * CALLER_NOT_READING when more than 4 MiB are buffered, CALL_ENDED when the socket is closed.
   */
  write(data: string | Uint8Array): Promise<void>;
  /**
   * Closes the socket with `reason` and its close code (1000, 1001 for `shutdown`, 1011 for failures; `code` overrides it).
   * Resolves, and never rejects, when the socket is closed; terminates it when the caller does not answer within 1 s or
   * before `deadline` aborts.
   */
  close(reason: CloseReason, deadline?: AbortSignal, code?: number): Promise<void>;
  /** Rejects the caller like an exception in `SocketRoute.accept`: logs and counts the error, and closes the socket. */
  reject(error: unknown): void;
  /** The `ws` socket, for a bot that speaks another wire format. An exception in a listener of your own is not caught. */
  readonly raw: WebSocket;
}

/** Why a socket is rejected before the upgrade: an HTTP status and the fields of the JSON error. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
}

/** The credentials that a caller sends to a transport's own server. */
export interface Credentials {
  /** What `RunnerContext.credential` returned for the session. */
  readonly credential?: string | undefined;
  /** The API key, for a caller without a session. */
  readonly key?: string | undefined;
  /** The `Origin` of a browser. */
  readonly origin?: string | undefined;
}

/** The runner, as one plugin sees it. */
export interface RunnerContext {
  readonly settings: RunnerSettings;
  /** Logs with the transport's name on every line. */
  readonly logger: Logger;
  /** The media timer that all calls share. */
  readonly pacer: Pacer;
  /**
   * Creates a pending session, which waits 120 s for its caller. It belongs to this plugin: other plugins cannot find it.
   * Throws AT_CAPACITY (429) or DRAINING (503). `reserve` counts the session toward `maxSessions` now instead of in `run`: for
   * a caller who is accepted before the bot runs. `id` is an id that the caller chose: 1 to 128 letters, digits, `-` and `_`.
   * Throws REQUEST_INVALID (400) for any other, and SESSION_ID_TAKEN (409) while another session has it. Others may guess such
   * an id, so it must not be enough to take over the call.
   *
   * `ringMs` is for an outbound call: the session has a reserved place, and waits this long for an answer instead of 120 s. A drain
   * ends it.
   */
  createSession(options?: {
    readonly body?: unknown;
    readonly reserve?: boolean;
    readonly id?: string | undefined;
    readonly ringMs?: number | undefined;
  }): Session;
  /** The live session of this plugin with this id or alias. `--capture` adds the request that is being handled to its capture. */
  findSession(idOrAlias: string): Session | undefined;
  /**
   * Access control for a server of the transport's own. Returns the pending session of the credential, or a new one (with
   * `reserve`) for a caller without a credential. Throws ORIGIN_REFUSED, KEY_REQUIRED, TOKEN_REQUIRED, TOKEN_INVALID,
   * SESSION_UNKNOWN, SESSION_NOT_PENDING, AT_CAPACITY or DRAINING, and counts the rejection.
   */
  admit(credentials: Credentials): Session;
  /**
   * The credential that the session's caller must send: its id, or with `--ws-auth token` a token that is valid once, for 120
   * s.
   */
  credential(session: Session): string;
  /** The public `ws:` or `wss:` URL of this session on a socket path. */
  socketUrl(session: Session, path: string, request?: IncomingMessage): URL;
  /**
   * The public URL of a path on this server: below the configured public URL, else as a trusted proxy or the request's `Host`
   * says, else at the bound address. Never `0.0.0.0`.
   */
  url(path: string, request?: IncomingMessage): URL;
  /**
   * Takes one of the permits that this key has each minute, for all processes of this runner together. Resolves with false when none is
   * left. All at once are available after a minute without use.
   */
  takePermit(key: string, perMinute: number): Promise<boolean>;
  /** Counts a caller that the transport rejected without throwing, such as a call that got a busy tone. */
  countRejection(code: string): void;
  /** One value per runner and key, created by the first plugin that asks for it. */
  shared<T>(key: string, create: () => T): T;
}

/** Throws PLUGIN_INVALID unless `plugin` is a transport plugin for this contract version. `source` names its package. */
export function checkPlugin(plugin: unknown, source: string): asserts plugin is TransportPlugin {
  const { apiVersion, name, open } = Object(plugin) as Partial<TransportPlugin>;
  if (typeof name !== "string" || name === "" || typeof open !== "function") {
    throw new RunnerError("PLUGIN_INVALID", `${source} does not export a transport plugin.`, {
      fix: "Export an object with apiVersion, name and open as the default of the plugin module.",
    });
  }
  if (apiVersion === contractVersion) return;
  const newer = typeof apiVersion === "number" && apiVersion > contractVersion;
  throw new RunnerError(
    "PLUGIN_INVALID",
    `The transport "${name}" (${source}) is written for contract version ${apiVersion ?? "0"}; this runner supports version ${contractVersion}.`,
    { fix: newer ? "Update the package pipecat-runner." : `Update the package ${source}.` },
  );
}
