import type { IncomingMessage } from "node:http";
import type { Context, Next } from "koa";
import type { TSchema } from "typebox";
import type { WebSocket } from "ws";
import type { OptionTable } from "./options.ts";
import type { RunnerContext, RunnerSettings } from "./runner.ts";

/** A transport as data: importing it does nothing, a runner opens it. */
export interface TransportPlugin<Options = unknown> {
  /** The name in `/start`, `/status`, `--transport` and `args.transport`. */
  readonly name: string;
  /** Which transport `/start` means when nobody says: the highest wins. Default 0. */
  readonly rank?: number;
  /**
   * Whether callers and `--transport` can choose it. Default true. False for one with neither `start` nor `direct`: it is
   * opened also when the runner is restricted to another transport.
   */
  readonly selectable?: boolean;
  /** Its flags and environment variables. */
  readonly options?: OptionTable<Options>;
  /** Whether it can run with these options, and if not, how to mend it. Opens nothing. */
  check?(options: Options, settings: RunnerSettings): Availability | Promise<Availability>;
  /** Takes its place in a runner. Whatever it opens, `close` closes. */
  open(runner: RunnerContext, options: Options): OpenTransport | Promise<OpenTransport>;
}

/** Whether a transport can run here. `limited`: it runs, but lacks something. */
export type Availability =
  | { readonly state: "ready" }
  | { readonly state: "limited" | "unavailable"; readonly reason: string; readonly fix: string };

/** A transport inside one runner. With neither `start` nor `direct` it is not selectable and not in `/status`. */
export interface OpenTransport {
  readonly routes?: readonly HttpRoute[];
  readonly sockets?: readonly SocketRoute[];
  /** Whether a start request that names no transport means this one. */
  claims?(body: StartBody): boolean;
  /** Answers `POST /start`. */
  start?(request: StartRequest): StartReply | Promise<StartReply>;
  /** Runs one bot with no server, until it ends. */
  direct?(): Promise<void>;
  /** Lines that the banner shows under the transport's name: how to reach it. */
  banner?(): readonly string[];
  /** Releases everything `open` took. Twice is once. */
  close(): Promise<void>;
}

/** The JSON object of a start request. */
export interface StartBody {
  readonly transport?: string;
  /** What the bot gets as `args.body`. */
  readonly body?: unknown;
  readonly [field: string]: unknown;
}

/** One `POST /start`, its transport chosen. */
export interface StartRequest {
  readonly body: StartBody;
  readonly request: IncomingMessage;
}

/** What `/start` answers. */
export interface StartReply {
  /** Sent as the `X-Session-Id` header. */
  readonly sessionId: string;
  /** The JSON reply, exactly what this transport's clients expect. */
  readonly body: Readonly<Record<string, unknown>>;
}

/**
 * Who may call a route. `open`: anyone. `caller`: whoever may start sessions; with `--api-key` the host asks for the key.
 * `carrier`: a vendor's server, which the route recognises by signature itself; where nothing can prove it and
 * `settings.callersMustProve`, it refuses all.
 *
 * With `--ws-auth token` the host lets nobody open a `caller` or `carrier` socket without a session's token, which it takes
 * from the path's `:sessionId`, a bearer header or `?token=`, unless `SocketRoute.isProven` says who it is.
 */
export type Access = "open" | "caller" | "carrier";

/** The methods a route may answer. */
export type HttpMethod = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** A request as a route sees it: `request.body` parsed by content type, `request.rawBody` the bytes as they came. */
export type RouteContext = Context & {
  readonly params: Readonly<Record<string, string>>;
  readonly request: { readonly body?: unknown; readonly rawBody?: Buffer };
};

/** One HTTP route. Paths are those of path-to-regexp 8: `/sessions/:sessionId/api/offer`, `/files/*path`. */
export interface HttpRoute {
  readonly method: HttpMethod | readonly HttpMethod[];
  readonly path: string;
  readonly access: Access;
  /** Of a `carrier` route: whether it takes whoever says to be the vendor. The banner of a public server then names it. */
  readonly takesAnybody?: boolean;
  /** What the parsed body must be; a body that is not gets a 400 that names the field. */
  readonly schema?: TSchema;
  /** `next()` passes the request on, to the web client where the path is `/`. */
  handle(ctx: RouteContext, next: Next): unknown;
}

/** One WebSocket path. */
export interface SocketRoute {
  /** `/pigeon{/:sessionId}`: call the parameter that takes `RunnerContext.socketSegment` by this name. */
  readonly path: string;
  readonly access: Access;
  /** The largest message taken, in bytes; a larger one closes the socket with 1009. */
  readonly maxPayload: number;
  /**
   * Whether the request itself proves that the route's carrier sent it. Such a one that names no session needs no token. Asked
   * before `authorize`, and only where it matters; must not throw.
   */
  isProven?(request: SocketRequest): boolean;
  /** Refuses a socket before the upgrade, as an HTTP answer; `undefined` lets it in. A RunnerError thrown refuses it too. */
  authorize?(request: SocketRequest): Refusal | undefined | Promise<Refusal | undefined>;
  /**
   * Takes the socket. Attach the `message` listener before anything is awaited, or messages are lost. Throwing closes the
   * socket: with 1013 for AT_CAPACITY and DRAINING, 1008 for other refusals, else 1011.
   */
  accept(socket: WebSocket, request: SocketRequest): void;
}

/** An upgrade request, its path matched. */
export interface SocketRequest {
  /** With `--ws-auth token`, `sessionId` is the id that the checked token names, also where it did not come in the path. */
  readonly params: Readonly<Record<string, string>>;
  readonly url: URL;
  readonly request: IncomingMessage;
}

/** Why a socket is not let in: an HTTP status and the JSON error's parts. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
}
