import type { BotSession } from "./bot-session.ts";

/**
 * What each transport's bot receives, by transport name. Every transport package adds its arm by declaration merging:
 *
 * ```ts
 * declare module "@pipecat-ts/runner-core" {
 *   interface RunnerArgumentsByTransport { carrierPigeon: PigeonRunnerArguments }
 * }
 * ```
 */
// biome-ignore lint/suspicious/noEmptyInterface: an open registry, filled by declaration merging
export interface RunnerArgumentsByTransport {}

/** The name of a transport whose package this program imports; `never` when it imports none. */
export type TransportName = keyof RunnerArgumentsByTransport & string;

/** What every bot receives. Complete before the bot runs and never changed afterwards; every transport's arm extends it. */
export interface SessionArguments<Name extends string = string> {
  /** The transport the caller came in by: narrow on it to reach that transport's own fields. */
  readonly transport: Name;
  /** The id that `/start` answered, in the caller's URLs and on every log line of the session. */
  readonly sessionId: string;
  /** `body` of `POST /start`, on every transport; for calls without one, what the carrier was given. `undefined` when nobody gave any. */
  readonly body: unknown;
  /** The phone call, when the caller came in by one. */
  readonly callData?: CallData;
  /** The runner's side of this session: its log, its HTTP requests, what to release at its end. */
  readonly session: BotSession;
  /** Aborts when the session must end: 10 s after the caller left, or at once when the runner stops. A bot that still runs 5 s later is given up. */
  readonly signal: AbortSignal;
  /** Whether the bot should handle SIGINT itself: true only where no server runs beside it. */
  readonly handleSigint: boolean;
  /** Whether the bot should handle SIGTERM itself: true only where no server runs beside it. */
  readonly handleSigterm: boolean;
  /** The command line's flags, by camelCase name, and the bot's own options; without secrets of the runner and its transports. */
  readonly cliArgs: Readonly<Record<string, unknown>>;
}

/** A phone call as its carrier announced it. Carriers add fields of their own. */
export interface CallData {
  /** The carrier's id of the media stream. */
  readonly streamId: string;
  /** The carrier's id of the call, as its REST API takes it. */
  readonly callId: string;
  /** The caller's number, where the carrier tells it. Never log it. */
  readonly from?: string;
  /** The number that was called, where the carrier tells it. Never log it. */
  readonly to?: string;
  /** Custom parameters that travelled with the call. */
  readonly body?: unknown;
  readonly [vendorField: string]: unknown;
}

/**
 * What a bot receives: the union of the arms of the transports this program imports. A bot that imports none gets the
 * part they all share.
 */
export type RunnerArguments = [TransportName] extends [never]
  ? SessionArguments
  : RunnerArgumentsByTransport[TransportName];

/** The one function a developer writes: runs once for every caller; when it returns, the call is ended. */
export type Bot = (args: RunnerArguments) => unknown;
