import { type RTVIMessage, rtviLabel } from "./messages.ts";
import type { Metrics } from "./metrics.ts";
import type { UIJobGroup } from "./ui-commands.ts";

/**
 * What the bot sends, as message type to the shape of its `data`, in the wire's names; checked against client-js 1.13.1
 * and client-react 1.8.2. `undefined` means that the message carries no data. To add a message, add a row here and to
 * `serverSchemas`, and a method to `RTVISenders`.
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
  "user-mute-started": undefined;
  "user-mute-stopped": undefined;
  "user-transcription": UserTranscriptionData;
  "user-llm-text": TextData;
  "bot-started-speaking": undefined;
  "bot-stopped-speaking": undefined;
  "bot-output": BotOutputData;
  "bot-transcription": TextData;
  "bot-llm-started": undefined;
  "bot-llm-text": TextData;
  "bot-llm-stopped": undefined;
  "bot-llm-search-response": SearchResponse;
  "bot-tts-started": undefined;
  "bot-tts-text": TextData;
  "bot-tts-stopped": undefined;
  "llm-function-call-started": { readonly function_name?: string | undefined };
  /** The client runs its handler of this name, if it has one. */
  "llm-function-call-in-progress": FunctionCallData;
  "llm-function-call-stopped": {
    readonly tool_call_id: string;
    readonly cancelled: boolean;
    readonly function_name?: string | undefined;
    readonly result?: unknown;
  };
  /** What clients before protocol 1.2 know in the place of `llm-function-call-in-progress`; later ones run it a second time. */
  "llm-function-call": {
    readonly function_name: string;
    readonly tool_call_id: string;
    readonly args: Readonly<Record<string, unknown>>;
  };
  metrics: Metrics;
  "ui-command": { readonly command: string; readonly payload?: unknown };
  "ui-job-group": UIJobGroup;
  /** From here on: sent by the original, unknown to client-js 1.13, which ignores what it does not know. */
  "bot-interrupted": undefined;
  "vad-user-started-speaking": undefined;
  "vad-user-stopped-speaking": undefined;
  "user-audio-level": { readonly value: number };
  "bot-audio-level": { readonly value: number };
  "system-log": TextData;
  "bot-tts-audio": { readonly audio: string; readonly sample_rate: number; readonly num_channels: number };
}

export type ServerMessageType = keyof ServerMessages;

export interface TextData {
  readonly text: string;
}

/** What the caller said. `final` ends the user's bubble in the React kit; `timestamp` is an ISO 8601 text. */
export interface UserTranscriptionData {
  readonly text: string;
  readonly user_id: string;
  readonly timestamp: string;
  readonly final: boolean;
}

/** A call under way. A bot may keep name and arguments to itself: the React kit shows the call all the same. */
export interface FunctionCallData {
  readonly tool_call_id: string;
  readonly function_name?: string | undefined;
  readonly arguments?: Readonly<Record<string, unknown>> | undefined;
}

/** What a language model found on the web, in the wire's names. */
export interface SearchResponse {
  readonly search_result?: string;
  /** HTML to show beside it, where the search engine asks for that. */
  readonly rendered_content?: string;
  readonly origins: readonly {
    readonly site_uri?: string;
    readonly site_title?: string;
    readonly results: readonly { readonly text: string; readonly confidence: readonly number[] }[];
  }[];
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

/** Puts a message in its envelope; `id` only where it answers a client's message. */
export function serverMessage<T extends ServerMessageType>(type: T, data: ServerMessages[T], id?: string): RTVIMessage {
  return {
    label: rtviLabel,
    type,
    ...(id === undefined ? {} : { id }),
    ...(data === undefined ? {} : { data }),
  };
}
