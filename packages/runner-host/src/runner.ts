import type { Router } from "@koa/router";
import type {
  Availability,
  Bot,
  CloseReason,
  Logger,
  RunnerSettings,
  Session,
  TransportPlugin,
} from "@pipecat-ts/runner-core";
import type Koa from "koa";
import type { AccessOptions } from "./access-options.ts";

/** How a runner is made in code. Everything but `bot` has a default; what is not given here is not read from flags. */
export interface RunnerOptions
  extends Partial<Omit<RunnerSettings, "publicUrl" | "callersMustProve">>,
    Partial<AccessOptions> {
  readonly bot: Bot;
  /** The transports, in any order. */
  readonly plugins?: readonly TransportPlugin[];
  /** Options of the plugins, by plugin name; what is missing comes from the environment and the plugin's defaults. */
  readonly pluginOptions?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly publicUrl?: string | URL;
  /** The folder of the built web client, served at `/client/`. Without it `/` and `/client/` are 404. */
  readonly clientRoot?: string;
  /** The folder whose files may be downloaded at `/files/{path}`. Without it those are 404. */
  readonly folder?: string | undefined;
  /** What bots get as `args.body` when their callers bring none. */
  readonly body?: unknown;
  /** Default: a pino logger to stdout at level `info`. */
  readonly logger?: Logger;
  /** Default: the process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** A runner: a Koa app, its sessions, and how to start and stop it. Installs no process-level handler. */
export interface Runner {
  /** Add middleware and routes of your own before `listen()`: they run before the runner's. */
  readonly app: Koa;
  /** Routes of your own, ahead of the runner's. */
  readonly router: Router;
  readonly sessions: Sessions;
  /** Every plugin that was given, and whether it runs. Empty before `listen()`. */
  readonly transports: readonly TransportReport[];
  /**
   * What anyone may do who reaches this server from elsewhere, each as a path: `POST /start`, `WS /ws-client`. Empty where
   * it asks for a key, or nobody but this machine reaches it. Empty before `listen()`.
   */
  readonly openToAll: readonly string[];
  /** Where the server listens, as a browser on this machine reaches it; the real port. Throws before `listen()`. */
  readonly url: URL;
  /** Opens the plugins and the port. Rejects with PORT_IN_USE, TRANSPORT_UNKNOWN, OPTION_INVALID; then nothing stays open. */
  listen(): Promise<void>;
  /**
   * Instead of `listen()`: runs one bot on a transport that needs no server, the first that can unless it is named, until
   * it ends, and closes. The bot is told to handle SIGINT and SIGTERM itself. Rejects with TRANSPORT_UNKNOWN,
   * TRANSPORT_UNAVAILABLE, OPTION_INVALID.
   */
  direct(transport?: string): Promise<void>;
  /** Refuses new sessions, waits for live ones until they end or `shutdownTimeoutMs` passes, then closes. */
  drain(): Promise<void>;
  /** Aborts live sessions, gives them 2 s, closes everything. Twice is once. */
  close(): Promise<void>;
}

/** A runner's sessions. */
export interface Sessions extends Iterable<Session> {
  /** How many there are by state; `pending` and `active` are 0 when nothing is left open. */
  readonly counts: { readonly pending: number; readonly active: number };
  find(idOrAlias: string): Session | undefined;
  /**
   * The session in whose asynchronous scope this code runs, also when it has ended: how the process's handlers of
   * `unhandledRejection` and `uncaughtException` find out whose failure it is. Measured on Node 22.23 and 24.21:
   *
   * - Found: what throws in a timer, an immediate, `nextTick`, or a listener of a socket or emitter that the bot's own
   *   code set going; every promise that the bot awaits or detached (`unhandledRejection`), also when what it waited for
   *   was rejected elsewhere; listeners of `args.signal`; releases given to `own`; handlers given to `onRequest`.
   * - Not found, `undefined`: a synchronous throw in a listener that somebody else's event calls: an emitter or
   *   EventTarget outside the bot, a socket that was there before the bot. An `async` listener of it rejects as
   *   `undefined`, too, unless it was wrapped by `AsyncLocalStorage.bind`, which helps rejections and not throws.
   * - Different: a throw in `queueMicrotask` is found on 24 and not on 22. A promise that nobody ever attached to belongs,
   *   on 24, to where it was rejected; on 22, to where it was made.
   */
  current(): Session | undefined;
  endAll(reason: CloseReason): Promise<void>;
}

/** One plugin of a runner, for banners and status pages. */
export interface TransportReport {
  readonly name: string;
  readonly availability: Availability;
  /** Whether `/start` can choose it. */
  readonly selectable: boolean;
  /** Its own lines for the banner. */
  readonly banner: readonly string[];
}
