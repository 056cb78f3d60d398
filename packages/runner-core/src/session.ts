import type { CallData, SessionArguments } from "./arguments.ts";
import type { BotSession } from "./bot-session.ts";
import type { CloseReason, Transport, TransportParams } from "./transport.ts";

/** `pending`: started, the caller not there yet; `active`: the bot runs; `ended`: over and released. */
export type SessionState = "pending" | "active" | "ended";

/** One caller, from the start request to the end of the bot. Made by `RunnerContext.createSession`. */
export interface Session extends BotSession {
  readonly state: SessionState;
  /** `body` of the start request, `undefined` when there was none. Once the bot runs it is what that got as `args.body`. */
  readonly body: unknown;
  /** Aborts when the bot must stop; see `SessionArguments.signal`. */
  readonly signal: AbortSignal;
  /** Resolves, never rejects, when the session is over and everything it owned is released. */
  readonly ended: Promise<CloseReason>;
  /** Lets `findSession` find it by a further key: a vendor's call id. Throws SESSION_ALIAS_TAKEN. Freed when the session ends. */
  alias(key: string): void;
  /**
   * Makes the session active and starts the bot: once, and SESSION_NOT_PENDING after that. `connect` runs when the bot
   * calls `createTransport`. Throws AT_CAPACITY or DRAINING when the runner takes no more callers.
   */
  run<Args extends SessionArguments>(own: OwnArguments<Args>, connect: Connect): void;
  /**
   * Ends the session; resolves when it has ended, and never rejects. With `caller-left` the transport is closed and a bot
   * that still runs has 10 s before `signal` aborts; with any other reason `signal` aborts at once.
   */
  end(reason: CloseReason): Promise<void>;
}

/** Builds the transport of one session with the bot's params: called at most once. */
export type Connect = (params: TransportParams) => Promise<Transport>;

/** What a transport gives of its bot's arguments; the host adds what every bot receives. `body` overrides the session's. */
export type OwnArguments<Args extends SessionArguments> = Pick<Args, "transport"> &
  Omit<Args, keyof SessionArguments> & { readonly body?: unknown; readonly callData?: CallData };
