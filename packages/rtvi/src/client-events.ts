import type { RawAudio } from "./raw-audio.ts";
import type { UISnapshot } from "./ui-snapshot.ts";

/**
 * What a bot is told of its client: each event has the name of its message, `ui-event` that of `uiEvent`. To add a message,
 * add an event here and a row to `clientMessages`.
 */
export interface RTVIEvents {
  /** The application's own message or request: `sendClientMessage` and `sendClientRequest` of client-js. */
  clientMessage: ClientMessage;
  /** The user typed to the bot: `sendText` of client-js. */
  sendText: SentText;
  /**
   * A key the caller pressed, once for each: on the client's keypad (`sendDTMF` of client-js, `0-9 * #`) or on a phone (the
   * transport's own `dtmf`, which may tell `A-D` too). So one listener here serves every caller; `transport.on("dtmf")` goes
   * on telling of phones alone, for what a client writes in a message is nothing that its transport heard.
   */
  dtmf: string;
  /** The result of a function call that no `callFunction` waits for: of one the bot announced itself, or too late. */
  llmFunctionCallResult: FunctionCallAnswer;
  /** Something happened in the application's user interface: `sendUIEvent` of client-js. */
  uiEvent: UIEvent;
  /** What the user sees: `startUISnapshotStream` of client-js. Each tells all; while nobody listens, the latest is held. */
  uiSnapshot: UISnapshotMessage;
  /** The user wants a group of jobs stopped that `uiJobGroup` told of: `cancelUIJobGroup` of client-js. */
  uiCancelJobGroup: JobGroupCancellation;
  /**
   * What the caller said, sent as messages rather than as media: the Daily client does so with what it recorded before the
   * bot was ready. It is not in `transport.input`, which is a stream in real time: the bot hears it here or not at all.
   */
  rawAudio: RawAudio & ClientRequest;
  /**
   * The client asks the bot to end the call: `disconnectBot` of client-js. Where nobody listens, the transport is closed,
   * which plays out what is queued; a bot that listens ends the call itself. Listen right after `createRTVI`.
   */
  disconnectBot: ClientRequest;
}

/** Something the client sent, which may be refused. */
export interface ClientRequest {
  /** The client's number for it, which answers carry. */
  readonly id: string;
  /** Answers with an `error-response`: it fires the client's `onMessageError`, and rejects the request where one waits. */
  error(message: string): Promise<void>;
}

/** The application's own message. Whether it waits for an answer is the application's convention: the wire does not say. */
export interface ClientMessage extends ClientRequest {
  /** `t` on the wire: the application's name for this kind of message. */
  readonly type: string;
  /** `d` on the wire: anything, `undefined` when there is none. Not validated. */
  readonly data: unknown;
  /** Answers with a `server-response`: the client's `sendClientRequest` resolves with `data`. It waits 10 s by default. */
  respond(data?: unknown): Promise<void>;
}

/** Text from the user. */
export interface SentText extends ClientRequest {
  readonly content: string;
  /** Whether to answer now, interrupting what the bot is saying; otherwise the text is only to be remembered. Default true. */
  readonly runImmediately: boolean;
  /** Whether to answer aloud; otherwise in writing only. Default true. */
  readonly audioResponse: boolean;
}

/** What a function of the client's returned: an object or a text, by the protocol. */
export type FunctionResult = Readonly<Record<string, unknown>> | string;

/** A function call's result, with the call as the client repeats it. */
export interface FunctionCallAnswer extends ClientRequest {
  readonly callId: string;
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly result: FunctionResult;
}

/** Something that happened in the application's user interface. */
export interface UIEvent extends ClientRequest {
  /** The application's name for it. */
  readonly event: string;
  /** Anything, `undefined` when there is none. Not validated. */
  readonly payload: unknown;
}

/** What the user sees. */
export interface UISnapshotMessage extends ClientRequest {
  readonly tree: UISnapshot;
}

/** The wish that a group of jobs be stopped. */
export interface JobGroupCancellation extends ClientRequest {
  readonly jobId: string;
  readonly reason: string | undefined;
}
