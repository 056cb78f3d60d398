import Type, { type Static, type TSchema } from "typebox";
import { problemWith } from "./messages.ts";

/** What a bot is told of its client, by event name. To add a message, add an event here and a row to `clientMessages`. */
export interface RTVIEvents {
  /** The application's own message or request: `sendClientMessage` and `sendClientRequest` of client-js. */
  clientMessage: ClientMessage;
  /** The user typed to the bot: `sendText` of client-js. */
  sendText: SentText;
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

/** How a row tells the bot of its message. */
export interface Answers extends ClientRequest {
  respond(type: string, data: unknown): Promise<void>;
}

/** One type of message from the client. */
export interface ClientMessageRow {
  /** The event it becomes. */
  readonly event: keyof RTVIEvents;
  /** What is wrong with its `data`, naming the field; undefined when nothing is. */
  problem(data: unknown): string | undefined;
  /** What the bot is told. `data` has no problem. */
  read(data: unknown, answers: Answers): RTVIEvents[keyof RTVIEvents];
}

/** Every message from the client but `client-ready`, by its type. */
export const clientMessages: ReadonlyMap<string, ClientMessageRow> = new Map([
  [
    "client-message",
    row(
      "clientMessage",
      Type.Object({ t: Type.String(), d: Type.Optional(Type.Unknown()) }),
      ({ t, d }, { id, error, respond }) => ({ id, type: t, data: d, error, respond: (data) => respond(t, data) }),
    ),
  ],
  [
    "send-text",
    row(
      "sendText",
      Type.Object({
        content: Type.String(),
        options: Type.Optional(
          Type.Union([
            Type.Object({
              run_immediately: Type.Optional(Type.Boolean()),
              audio_response: Type.Optional(Type.Boolean()),
            }),
            Type.Null(),
          ]),
        ),
      }),
      ({ content, options }, { id, error }) => ({
        id,
        content,
        runImmediately: options?.run_immediately ?? true,
        audioResponse: options?.audio_response ?? true,
        error,
      }),
    ),
  ],
  ["disconnect-bot", row("disconnectBot", Type.Object({}), (_, { id, error }) => ({ id, error }))],
]);

function row<E extends keyof RTVIEvents, S extends TSchema>(
  event: E,
  schema: S,
  read: (data: Static<S>, answers: Answers) => RTVIEvents[E],
): ClientMessageRow {
  return {
    event,
    problem: (data) => problemWith(schema, data, "data"),
    read: (data, answers) => read(data as Static<S>, answers),
  };
}
