import type { IncomingMessage } from "node:http";
import type { Logger } from "./logger.ts";
import type { Session } from "./session.ts";

/** How this runner was set up, after flags, environment variables and defaults. */
export interface RunnerSettings {
  /** The address the server binds. */
  readonly host: string;
  /** The port it was told to bind; 0 lets the system choose. */
  readonly port: number;
  /** The one transport callers may use, when the runner is restricted to one. */
  readonly transport?: string | undefined;
  /** Where callers and carriers reach this runner, when it was told. */
  readonly publicUrl?: URL | undefined;
  /** Whether a proxy in front is trusted to say by which URL it was called. */
  readonly trustProxy: boolean;
  /**
   * Whether callers must prove themselves: the runner has an API key, or opens sockets by token only. Then a carrier's
   * request that cannot be verified must hand out nothing and start nothing, or it would be a way around both.
   */
  readonly callersMustProve: boolean;
  /** How many callers may be served at once; `Infinity` when unlimited. */
  readonly maxSessions: number;
  /** How long live sessions may go on after shutdown was asked for, in ms. */
  readonly shutdownTimeoutMs: number;
  /** The command line's flags, by camelCase name; `{}` for a runner made in code. */
  readonly cliArgs: Readonly<Record<string, unknown>>;
}

/** What a plugin may use of its runner. */
export interface RunnerContext {
  readonly settings: RunnerSettings;
  /** Logs with the transport's name on every line. */
  readonly logger: Logger;
  /**
   * The public URL of a path on this server: the configured public URL, else what a trusted proxy said, else the
   * request's `Host`, else the bound address. Never `0.0.0.0`. `ws` gives `ws:` or `wss:`.
   */
  urlFor(path: string, request?: IncomingMessage, scheme?: "http" | "ws"): URL;
  /** A pending session: it waits 120 s for its caller. Throws AT_CAPACITY or DRAINING. */
  createSession(options?: { readonly body?: unknown }): Session;
  /**
   * What stands for this session in the path of a socket route, where the route has `:sessionId`: its id, or with
   * `--ws-auth token` a token that opens one socket within 120 s. The route gets the id either way.
   */
  socketSegment(session: Session): string;
  /** The live session with this id or alias. */
  findSession(idOrAlias: string): Session | undefined;
  /** One value per runner, made by the first plugin that asks for the key: what several plugins share. */
  shared<T>(key: string, create: () => T): T;
}
