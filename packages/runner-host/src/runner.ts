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

/** How a runner is made in code. Everything but `bot` has a default; what is not given here is not read from flags. */
export interface RunnerOptions extends Partial<Omit<RunnerSettings, "publicUrl">> {
  readonly bot: Bot;
  /** The transports, in any order. */
  readonly plugins?: readonly TransportPlugin[];
  /** Options of the plugins, by plugin name; what is missing comes from the environment and the plugin's defaults. */
  readonly pluginOptions?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly publicUrl?: string | URL;
  /** The folder of the built web client, served at `/client/`. Without it `/` and `/client/` are 404. */
  readonly clientRoot?: string;
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
  /** Where the server listens, as a browser on this machine reaches it; the real port. Throws before `listen()`. */
  readonly url: URL;
  /** Opens the plugins and the port. Rejects with PORT_IN_USE, TRANSPORT_UNKNOWN, OPTION_INVALID; then nothing stays open. */
  listen(): Promise<void>;
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
  /** The session in whose asynchronous scope this code runs: how late rejections find their session. */
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
