import type { BotSession, CallData, SessionArguments } from "./arguments.ts";
import type { ParamsOf } from "./create-transport.ts";
import type { Call, MediaPort } from "./port.ts";
import type { CloseReason } from "./transport.ts";

/** `pending`: waits for its caller; `active`: the bot runs; `ended`: over, and everything released. */
export type SessionState = "pending" | "active" | "ended";

/** One caller, from the start request to the end of the bot. Created by `RunnerContext.createSession`. */
export interface Session extends Omit<BotSession, "onRequest" | "limitDuration" | "onTimeLimit"> {
  readonly state: SessionState;
  /** `body` of the start request, or `undefined`. Once the bot runs, it is `args.body`. */
  readonly body: unknown;
  /** Aborts when the bot must stop; see `SessionArguments.signal`. */
  readonly signal: AbortSignal;
  /** Resolves, and never rejects, when the session is over and everything is released. */
  readonly ended: Promise<CloseReason>;
  /**
   * Starts the bot, once. `own` is what this transport adds to the bot's arguments. `connect` runs when the bot calls
   * `createTransport`, and returns the `MediaPort`; the runner builds the media layer around it. An exception
   * in `connect` rejects `createTransport`.
   *
   * Throws SESSION_NOT_PENDING (409) for a session that is not pending. Throws AT_CAPACITY (429) or DRAINING (503) when the
   * runner takes no more callers, but never for a session created with `reserve`; the session stays pending, and its caller
   * may try again.
   */
  run<Args extends SessionArguments>(
    own: OwnArguments<Args>,
    connect: (params: ParamsOf<Args["transport"]>) => MediaPort | Promise<MediaPort>,
  ): Call;
  /**
   * Keeps a record for `OpenTransport.advanced.cleanUpAfterCrash`: plain JSON, such as a vendor's call id. Without process isolation it
   * has no effect.
   */
  rememberForCrash(record: object): void;
  /**
   * Lets `RunnerContext.findSession` find the session under another key, such as a vendor's call id, until the connection to the
   * caller is closed. Throws SESSION_ALIAS_TAKEN (409).
   */
  alias(key: string): void;
  /**
   * Ends the session. Resolves, and never rejects, when it has ended. With `caller-left` the bot has 10 s before `signal` aborts.
   * With `time-limit` queued audio is played before that, for 10 s at most. With any other reason `signal` aborts at once.
   */
  end(reason: CloseReason): Promise<void>;
}

/** What a transport adds to its bot's arguments. `body` replaces the body of the session. */
export type OwnArguments<Args extends SessionArguments> = Omit<Args, keyof SessionArguments> & {
  readonly body?: unknown;
  readonly callData?: CallData;
};
