import Type, { type TSchema } from "typebox";
import { type RTVIMessage, rtviLabel } from "./messages.ts";

/**
 * What the bot sends, as message type to the shape of its `data`, in the wire's names; checked against client-js 1.13.1
 * and client-react 1.8.2. `undefined` means that the message carries no data. To add a message, add a row here and to
 * `serverSchemas`.
 */
export interface ServerMessages {
  /** Answers `client-ready`, with its id. The client's `connect()` waits for it, and the React kit parses `version`. */
  "bot-ready": { readonly version: string; readonly about?: Readonly<Record<string, unknown>> };
  /** Something went wrong at the bot. `fatal` makes the client disconnect. */
  error: { readonly error: string; readonly fatal: boolean };
  /** Refuses a client's message, with its id: rejects the client's pending request and fires its `onMessageError`. */
  "error-response": { readonly error: string };
  /** Answers a `client-message`, with its id and `t`: the client's request resolves with `d`. */
  "server-response": { readonly t: string; readonly d?: unknown };
  /** Anything the application likes. */
  "server-message": unknown;
  "user-started-speaking": undefined;
  "user-stopped-speaking": undefined;
  "bot-started-speaking": undefined;
  "bot-stopped-speaking": undefined;
  "user-transcription": UserTranscriptionData;
  "bot-output": BotOutputData;
}

export type ServerMessageType = keyof ServerMessages;

/** What the caller said. `final` ends the user's bubble in the React kit; `timestamp` is an ISO 8601 text. */
export interface UserTranscriptionData {
  readonly text: string;
  readonly user_id: string;
  readonly timestamp: string;
  readonly final: boolean;
}

/**
 * One step of one segment of what the bot says or shows (protocol 2.x).
 *
 * `new`, and text with `will_be_spoken` false, is what the React kit adds to the conversation; `in-progress` and
 * `completed` only move its cursor, in the segment of the same `segment_id` (an integer), to where
 * `spoken_progress.accumulated_text` ends. `text` is always the whole segment: the kit ignores a message without it.
 */
export interface BotOutputData {
  readonly text: string;
  readonly aggregated_by: string;
  readonly segment_id: number;
  readonly will_be_spoken: boolean;
  readonly spoken_status?: "new" | "in-progress" | "completed";
  readonly spoken_progress?: { readonly accumulated_text: string; readonly remaining_text: string };
}

/** The `data` of `bot-output` for clients of protocol 1: said or not yet said, sentence by sentence or word by word. */
export interface LegacyBotOutputData {
  readonly text: string;
  readonly aggregated_by: string;
  readonly spoken: boolean;
}

/** What `data` of each message must be. */
export const serverSchemas: { readonly [T in ServerMessageType]: TSchema } = {
  "bot-ready": Type.Object({
    version: Type.String(),
    about: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  }),
  error: Type.Object({ error: Type.String(), fatal: Type.Boolean() }),
  "error-response": Type.Object({ error: Type.String() }),
  "server-response": Type.Object({ t: Type.String(), d: Type.Optional(Type.Unknown()) }),
  "server-message": Type.Unknown(),
  "user-started-speaking": Type.Undefined(),
  "user-stopped-speaking": Type.Undefined(),
  "bot-started-speaking": Type.Undefined(),
  "bot-stopped-speaking": Type.Undefined(),
  "user-transcription": Type.Object({
    text: Type.String(),
    user_id: Type.String(),
    timestamp: Type.String(),
    final: Type.Boolean(),
  }),
  "bot-output": Type.Object({
    text: Type.String(),
    aggregated_by: Type.String(),
    segment_id: Type.Integer(),
    will_be_spoken: Type.Boolean(),
    spoken_status: Type.Optional(
      Type.Union([Type.Literal("new"), Type.Literal("in-progress"), Type.Literal("completed")]),
    ),
    spoken_progress: Type.Optional(Type.Object({ accumulated_text: Type.String(), remaining_text: Type.String() })),
  }),
};

/** Puts a message in its envelope; `id` only where it answers a client's message. */
export function serverMessage<T extends ServerMessageType>(type: T, data: ServerMessages[T], id?: string): RTVIMessage {
  return {
    label: rtviLabel,
    type,
    ...(id === undefined ? {} : { id }),
    ...(data === undefined ? {} : { data }),
  };
}
