import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Router } from "@koa/router";
import type {
  Availability,
  Bot,
  Clock,
  CloseReason,
  FileStorage,
  RunnerContext,
  RunnerSettings,
  Session,
  TransportPlugin,
} from "@pipecat-ts/runner-core";
import type { SessionObserver } from "@pipecat-ts/runner-sessions";
import type Koa from "koa";
import type { RunnerLogger } from "./logging.ts";
import type { MetricValues } from "./metrics.ts";
import type { WireObserver } from "./wire.ts";

/** Who may call a runner. */
export interface AccessOptions {
  /** The bearer token that clients must send to start sessions. Without one, everyone may. */
  readonly apiKey: string | undefined;
  /** `token`: every WebSocket requires the single-use token of a session. */
  readonly webSocketAuth: "none" | "token";
  /** The secret that signs tokens; the same on several runners lets them accept each other's. Default: random. */
  readonly webSocketSecret: string | undefined;
  /** The origins whose pages may call, like `https://app.example.com`; empty or `*`: all. */
  readonly allowedOrigins: readonly string[];
}

/** `Partial`, and `undefined` is a missing value too. */
type Optional<T> = { readonly [Name in keyof T]?: T[Name] | undefined };

/** The options of a runner created in code. Everything but `bot` has a default; flags are not read. */
export interface RunnerOptions
  extends Optional<Omit<RunnerSettings, "publicUrl" | "requireAuth" | "requireKey">>,
    Optional<AccessOptions> {
  readonly bot: Bot;
  /** The transports, in any order. */
  readonly plugins?: readonly TransportPlugin[] | undefined;
  /** Options of the plugins, by plugin name. Missing ones come from the environment and the plugin's defaults. */
  readonly pluginOptions?: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined;
  readonly publicUrl?: string | URL | undefined;
  /** The folder of the built web client, served at `/client/`. Without it, `/` and `/client/` are 404. */
  readonly clientRoot?: string | undefined;
  /** The folder whose files can be downloaded from `/files/{path}`. */
  readonly downloadsFolder?: string | undefined;
  /** Stores the files that callers upload to `/files` and `/sessions/{id}/files`. Without it, both are 503. */
  readonly fileStorage?: FileStorage | undefined;
  /** `args.body` for callers that send none. */
  readonly body?: unknown;
  /** Creates the ids of sessions whose caller did not choose one. Default: random UUIDs. */
  readonly sessionIds?: (() => string) | undefined;
  /**
   * Accepts the requests of Pipecat Cloud: `POST /bot` starts a session, and callers' requests name it in a header. Requires
   * `maxSessions: 1`, and neither `apiKey` nor `webSocketAuth: "token"`. Default false.
   */
  readonly cloud?: boolean | undefined;
  /** Pending sessions count toward `maxSessions` too. Default false: only those with a reserved place. */
  readonly pendingTakesPlace?: boolean | undefined;
  /** Replaces the counting of `RunnerContext.takePermit`, for a runner that shares its permits with others. */
  readonly takePermit?: RunnerContext["takePermit"] | undefined;
  /** Learns when sessions begin, end, and get further keys, and when callers are rejected because the runner is full or draining. */
  readonly observer?: SessionObserver | undefined;
  /** Learns what callers and bots send through this runner: for captures and tests. */
  readonly wire?: WireObserver | undefined;
  /** The time source of audio, which tests can replace. Default: the machine's. */
  readonly clock?: Clock | undefined;
  /** Default: `createLogger()`, which logs to stdout at level `info`. The metrics include its `droppedLines`. */
  readonly logger?: RunnerLogger | undefined;
  /** Default: the process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

/** A runner: a Koa app, its sessions, and how to start and stop it. It installs no handlers on the process. */
export interface Runner {
  /** Add middleware and routes of your own before `listen()`: they run before the runner's. */
  readonly app: Koa;
  /** Routes of your own, before the runner's. JSON, form and text bodies are in `ctx.request.body`. */
  readonly router: Router;
  readonly sessions: Sessions;
  /** Every plugin and whether it runs. Empty before `listen()`. */
  readonly transports: readonly TransportReport[];
  /**
   * The routes that anyone who reaches this server from another machine can use: `POST /start`, `WS /ws-client`. Empty before
   * `listen()`, with an API key, with `cloud`, and when only this machine reaches the server.
   */
  readonly unauthenticatedRoutes: readonly string[];
  /**
   * The URL of the server for a browser on this machine, with the real port; after `open()`, with the options `host` and `port`.
   * Throws before.
   */
  readonly url: URL;
  /** Opens the plugins and the port. Rejects with PORT_IN_USE, TRANSPORT_UNKNOWN, OPTION_INVALID; then nothing stays open. */
  listen(): Promise<void>;
  /**
   * Instead of `listen()`, when a server of your own gets the requests: opens the plugins only. Then pass requests to `handle` and
   * `upgrade`. Rejects with TRANSPORT_UNKNOWN and OPTION_INVALID.
   */
  open(): Promise<void>;
  /**
   * Handles a request of your own server, after `open()`; answers unknown paths with 404. Throws RUNNER_NOT_OPEN before, and
   * BODY_INVALID if something else has read the body, because a carrier's signature covers its bytes. Needs no `this`.
   */
  handle(request: IncomingMessage, response: ServerResponse): void;
  /**
   * Handles an `upgrade` event of your own server, after `open()`; rejects paths that no transport serves. Throws RUNNER_NOT_OPEN
   * before, and REQUEST_INVALID without a socket. Needs no `this`.
   */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /**
   * Instead of `listen()`, when another process accepts the callers: opens the plugins, and listens on the Unix socket `path`. The
   * returned server also takes connections of callers with `server.emit("connection", socket)`. `url` is where callers reach it.
   * Rejects like `listen()`.
   */
  attach(path: string, url: URL): Promise<Server>;
  /**
   * For a session of another process that crashed: lets its plugin release what a vendor still holds. `record` is what
   * `observer.remembered` got. Never rejects: failures are logged.
   */
  cleanUpAfterCrash(plugin: string, record: object): Promise<void>;
  /** The current values of all metrics, for `aggregateMetrics`. */
  metrics(): Promise<MetricValues>;
  /**
   * Instead of `listen()`: runs one bot on a transport that needs no server (the named one, else the first that can), until it
   * ends, and closes. The bot handles SIGINT and SIGTERM itself. Rejects with TRANSPORT_UNKNOWN, TRANSPORT_UNAVAILABLE,
   * OPTION_INVALID.
   */
  direct(transport?: string): Promise<void>;
  /** Rejects new sessions, waits for live ones until they end or `shutdownTimeoutMs` passes, then closes. */
  drain(): Promise<void>;
  /** Aborts live sessions, gives them 2 s, and closes everything. Later calls wait for the first. */
  close(): Promise<void>;
  /**
   * For handlers of `uncaughtException` and `unhandledRejection` in your program: ends the session whose code failed, logs the
   * error, and returns true. Returns false when the error belongs to no session of this runner.
   */
  handleUncaught(error: unknown): boolean;
}

/** The sessions of a runner. */
export interface Sessions extends Iterable<Session> {
  /** Sessions by state; both are 0 when nothing is left open. */
  readonly counts: { readonly pending: number; readonly active: number };
  /** The live session with this id. */
  find(id: string): Session | undefined;
  /** The session in whose asynchronous scope this code runs, also after its end. */
  current(): Session | undefined;
  endAll(reason: CloseReason): Promise<void>;
}

/** One plugin of a runner, for banners and status pages. */
export interface TransportReport {
  readonly name: string;
  readonly availability: Availability;
  /** Whether `/start` can choose it. */
  readonly startable: boolean;
  /** Its own lines for the banner. */
  readonly banner: readonly string[];
  /** Its own servers, as URLs. */
  readonly listeners: readonly string[];
}
