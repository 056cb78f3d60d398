import type { Context } from "koa";
import type { FileStorage } from "./files.ts";
import type { Logger } from "./logger.ts";
import type { CloseReason } from "./transport.ts";

/**
 * What each transport passes to its bots, by transport name. Every transport package adds its own entry:
 *
 * ```ts
 * declare module "@pipecat-ts/runner-core" {
 *   interface RunnerArgumentsByTransport { pigeon: PigeonRunnerArguments }
 * }
 * ```
 */
// biome-ignore lint/suspicious/noEmptyInterface: an open registry, filled by declaration merging
export interface RunnerArgumentsByTransport {}

/** The name of a transport whose package this program imports; `never` when it imports none. */
export type TransportName = keyof RunnerArgumentsByTransport & string;

/** The arguments that every bot receives. Complete before the bot runs, and never changed afterwards. */
export interface SessionArguments<Name extends string = string> {
  /** The transport of the caller. Test it to narrow `args` to the fields of that transport. */
  readonly transport: Name;
  /** The id from the reply of `/start`, in the caller's URLs and on every log line of the session. */
  readonly sessionId: string;
  /**
   * `body` of `POST /start`, on every transport. For a phone call without `/start`: the data that the carrier passed on.
   * Otherwise `undefined`.
   */
  readonly body: unknown;
  /** The phone call, on phone transports. */
  readonly callData?: CallData;
  /** The files that callers upload to `/files` and `/sessions/{id}/files`; `undefined` when uploads are off. */
  readonly fileStorage?: FileStorage | undefined;
  /** This session's log, HTTP requests and cleanup. */
  readonly session: BotSession;
  /**
   * Aborts when the session must end: 10 s after the caller left, or at once when the runner stops. A bot that still runs
   * 5 s later is abandoned and the session ends with `bot-stuck`.
   */
  readonly signal: AbortSignal;
  /** Whether the bot should handle SIGINT itself: true only when no server runs beside it. */
  readonly handleSigint: boolean;
  /** Whether the bot should handle SIGTERM itself: true only when no server runs beside it. */
  readonly handleSigterm: boolean;
  /** The flags of the command line, by camelCase name, and the bot's own options; without secrets of the runner and its transports. */
  readonly cliArgs: Readonly<Record<string, unknown>>;
}

/** A bot's access to its session: `args.session`. */
export interface BotSession {
  readonly id: string;
  /** Logs with the session's id on every line. */
  readonly logger: Logger;
  /**
   * Registers cleanup: `release` runs exactly once when the session ends, in reverse order of registration, or at once when
   * the session has ended already. `deadline` aborts after 5 s; the next cleanup then runs without waiting.
   */
  onEnd(release: (reason: CloseReason, deadline: AbortSignal) => unknown): void;
  /**
   * Sets how long this call may last, in ms from the start of its bot, instead of `--max-call-duration`; `Infinity`: without a
   * limit. During a goodbye, a limit that is not over when the goodbye ends continues the call. Throws OPTION_INVALID.
   */
  limitDuration(ms: number): void;
  /**
   * Registers a goodbye: it runs when the call has reached its maximum duration, for example to let the bot say so. When it has
   * settled, or after 10 s, queued audio is played for 10 s at most, and the call ends with `time-limit`. `deadline` aborts after
   * the 10 s, and when the session ends. It runs again at a later limit, but never twice at a time.
   */
  onTimeLimit(goodbye: (deadline: AbortSignal) => unknown): void;
  /**
   * Answers requests to `/sessions/{id}/{path}` that the transport does not answer itself. `ctx.params.path` is `path`.
   * The runner answers `GET` and `DELETE /sessions/{id}` itself.
   */
  onRequest(handler: (ctx: Context) => unknown): void;
  /**
   * Wraps a callback that foreign code calls, such as a vendor SDK's listener. The callback runs in the session's
   * asynchronous scope, and an exception or rejection ends this session only.
   */
  bind<Args extends readonly unknown[]>(callback: (...args: Args) => unknown): (...args: Args) => void;
}

/** A phone call as its carrier announced it. Carriers add fields of their own. */
export interface CallData {
  /** The carrier's id of the media stream. */
  readonly streamId: string;
  /** The carrier's id of the call, for its REST API. */
  readonly callId: string;
  /** The caller's number, when the carrier passes it on. Never log it. */
  readonly from?: string;
  /** The called number, when the carrier passes it on. Never log it. */
  readonly to?: string;
  /** `outbound` for a call that the runner placed. For other calls: as the carrier says, such as `inbound`. */
  readonly direction?: string;
  /** Custom parameters of the call. */
  readonly body?: unknown;
  readonly [vendorField: string]: unknown;
}

/**
 * The arguments of a bot: the union of the entries of all transports that this program imports. A program that imports
 * none gets the fields that all transports share.
 */
export type RunnerArguments = [TransportName] extends [never]
  ? SessionArguments
  : RunnerArgumentsByTransport[TransportName];

/** The one function that a developer writes. It runs once per caller; the call ends when it returns. */
export type Bot = (args: RunnerArguments) => unknown;
