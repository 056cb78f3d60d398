import type { TSchema } from "typebox";
import * as Type from "typebox";
import { type RTVIMessage, rtviLabel } from "./messages.ts";

/**
 * The bot's messages: each type with the shape of its `data`. Fields have the names they have on the wire; checked against
 * client-js 1.13.1, client-react 1.8.2 and Pipecat 1.14.0. `undefined` means that the message has no data. To add a message, add a row here
 * and to `serverSchemas`, and a method to `RTVISenders`.
 */
export interface ServerMessages {
  /** Answers `client-ready` and repeats its id. The client's `connect()` waits for it, and the React kit parses `version`. */
  "bot-ready": {
    readonly version: string;
    readonly about?: Readonly<Record<string, unknown>> | undefined;
    readonly capabilities?: BotCapabilities | undefined;
  };
  /** The bot failed. `fatal` makes the client disconnect. */
  error: { readonly error: string; readonly fatal: boolean };
  /** Rejects a client's message and repeats its id. The client's pending request rejects and its `onMessageError` fires. */
  "error-response": { readonly error: string };
  /** Answers a `client-message` and repeats its id and `t`. The client's request resolves with `d`. */
  "server-response": { readonly t: string; readonly d?: unknown };
  /** Any JSON value; its meaning is up to the application. */
  "server-message": unknown;
  "user-started-speaking": undefined;
  "user-stopped-speaking": undefined;
  "user-mute-started": undefined;
  "user-mute-stopped": undefined;
  /** What the user said or typed. */
  "user-input": UserInputData;
  "user-transcription": UserTranscriptionData;
  "user-llm-text": TextData;
  "bot-started-speaking": undefined;
  "bot-stopped-speaking": undefined;
  "bot-output": BotOutputData;
  "bot-transcription": TextData;
  "bot-llm-started": undefined;
  "bot-llm-text": TextData;
  "bot-llm-stopped": undefined;
  /** What the language model wrote beside the text to speak: a marker, its meaning, and the whole text. For evals. */
  "bot-llm-marker": {
    readonly text: string;
    readonly kind?: string | undefined;
    readonly raw: string;
    readonly markers: readonly string[];
  };
  "bot-llm-search-response": SearchResponse;
  "bot-tts-started": undefined;
  "bot-tts-text": TextData;
  "bot-tts-stopped": undefined;
  "stt-raw-text": UserTranscriptionData;
  "llm-raw-text": TextData;
  "tts-raw-text": TextData;
  "llm-function-call-started": { readonly function_name?: string | undefined };
  /** The client runs its handler with this name, if it has one. */
  "llm-function-call-in-progress": FunctionCallData;
  "llm-function-call-stopped": {
    readonly tool_call_id: string;
    readonly cancelled: boolean;
    readonly function_name?: string | undefined;
    readonly result?: unknown;
  };
  /** Replaces `llm-function-call-in-progress` for clients before protocol 1.2. Later clients would run the function twice. */
  "llm-function-call": {
    readonly function_name: string;
    readonly tool_call_id: string;
    readonly args: Readonly<Record<string, unknown>>;
  };
  metrics: Metrics;
  "ui-command": { readonly command: string; readonly payload?: unknown };
  "ui-job-group": UIJobGroup;
  /** The bot's audio was dropped, so that clients can drop its text too. */
  "bot-interrupted": undefined;
  /** Pipecat's Python runner sends this message and those below; client-js 1.13 ignores them. */
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

/** What the bot does in this call, so that clients show only the controls that apply. Undefined means unknown. */
export interface BotCapabilities {
  readonly audio_in?: boolean | undefined;
  readonly audio_out?: boolean | undefined;
  readonly video_in?: boolean | undefined;
  readonly screen_in?: boolean | undefined;
  readonly video_out?: boolean | undefined;
  readonly metrics?: boolean | undefined;
}

/** What the user said (`transcription`), typed (`chat`), or said while listening (`backchannel`, such as "mhm"). */
export interface UserInputData {
  readonly text: string;
  readonly input_type: "transcription" | "chat" | "backchannel";
  /** ISO 8601. */
  readonly timestamp: string;
  /** False for transcriptions that the next one replaces. */
  readonly final: boolean;
  readonly user_id?: string | undefined;
  /** The id of the `send-text` that a typed text came in. */
  readonly msg_id?: string | undefined;
}

/** A transcription of the caller's speech. `final` ends the user's bubble in the React kit; `timestamp` is ISO 8601. */
export interface UserTranscriptionData {
  readonly text: string;
  readonly user_id: string;
  readonly timestamp: string;
  readonly final: boolean;
}

/** A function call in progress. The bot may omit name and arguments; the React kit shows the call anyway. */
export interface FunctionCallData {
  readonly tool_call_id: string;
  readonly function_name?: string | undefined;
  readonly arguments?: Readonly<Record<string, unknown>> | undefined;
}

/** The web search results of a language model. Fields have the names they have on the wire. */
export interface SearchResponse {
  readonly search_result?: string | undefined;
  /** HTML to show next to the result, if the search engine requires it. */
  readonly rendered_content?: string | undefined;
  readonly origins: readonly {
    readonly site_uri?: string | undefined;
    readonly site_title?: string | undefined;
    readonly results: readonly { readonly text: string; readonly confidence: readonly number[] }[];
  }[];
}

/**
 * One step of one segment of the bot's output (protocol 2.x).
 *
 * The React kit adds segments with the status `new`, and those that will not be spoken, to the conversation. `in-progress`
 * and `completed` move its cursor in the segment with the same `segment_id` (an integer) to the end of
 * `spoken_progress.accumulated_text`. `text` is always the whole segment; the kit ignores messages without it.
 */
export interface BotOutputData {
  readonly text: string;
  /** The form of the text: `sentence`, `backchannel`, or a name of the application. Older clients receive it as `aggregated_by`. */
  readonly output_type: string;
  readonly segment_id: number;
  readonly will_be_spoken: boolean;
  readonly spoken_status?: "new" | "in-progress" | "completed" | undefined;
  readonly spoken_progress?: { readonly accumulated_text: string; readonly remaining_text: string } | undefined;
}

/** Creates the envelope of a message. `id` is set only if it answers a client's message. */
export function serverMessage<T extends ServerMessageType>(type: T, data: ServerMessages[T], id?: string): RTVIMessage {
  return {
    label: rtviLabel,
    type,
    ...(id === undefined ? {} : { id }),
    ...(data === undefined ? {} : { data }),
  };
}

/**
 * The speed and the usage of the bot's parts. Fields have the names they have on the wire. The console of voice-ui-kit 0.14
 * draws `ttfb` and sums up `tokens[0]`. Times are in SECONDS, unlike all other times in this package.
 */
export interface Metrics {
  /** Time to the first byte of an answer. */
  readonly ttfb?: readonly Measurement[] | undefined;
  /** Time to the first audio that is not silence. */
  readonly ttfa?: readonly Measurement[] | undefined;
  /** Time to the first token of an answer. */
  readonly ttfat?: readonly Measurement[] | undefined;
  /** Total processing time. */
  readonly processing?: readonly Measurement[] | undefined;
  readonly tokens?: readonly TokenUsage[] | undefined;
  /** Number of characters spoken. */
  readonly characters?: readonly Measurement[] | undefined;
  readonly stt_usage?: readonly Readonly<Record<string, unknown>>[] | undefined;
}

/** One value for one part of the bot. */
export interface Measurement {
  /** The name of the part, for example `llm`. Charts draw one line per name. */
  readonly processor: string;
  readonly model?: string | undefined;
  readonly value: number;
}

/** The token usage of one language model answer, as OpenAI's API reports it. */
export interface TokenUsage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly cache_read_input_tokens?: number | undefined;
  readonly cache_creation_input_tokens?: number | undefined;
  readonly reasoning_tokens?: number | undefined;
}

/**
 * The payloads of the commands that client-react 1.8 handles. Fields have the names they have on the wire.
 * `useDefaultUICommandHandlers` registers handlers for all except `toast` and `navigate`, which the application must handle.
 * Commands find an element by the `ref` of a snapshot, or by `target_id`, its id in the document.
 */
export interface UICommands {
  toast: {
    readonly title: string;
    readonly subtitle?: string | null | undefined;
    readonly description?: string | null | undefined;
    readonly image_url?: string | null | undefined;
    readonly duration_ms?: number | null | undefined;
  };
  /** `view` is the application's name for a page or place. */
  navigate: { readonly view: string; readonly params?: Readonly<Record<string, unknown>> | null | undefined };
  /** `behavior` is `smooth` or `instant`. */
  scroll_to: UITarget & { readonly behavior?: string | null | undefined };
  highlight: UITarget & { readonly duration_ms?: number | null | undefined };
  focus: UITarget;
  click: UITarget;
  /** Sets the text of an input. `replace: false` appends. Default true. */
  set_input_value: UITarget & { readonly value: string; readonly replace?: boolean | null | undefined };
  /** Selects the characters from `start_offset` to before `end_offset`. Without offsets, selects the whole text. */
  select_text: UITarget & {
    readonly start_offset?: number | null | undefined;
    readonly end_offset?: number | null | undefined;
  };
}

/** An element of the page. */
export interface UITarget {
  readonly ref?: string | null | undefined;
  readonly target_id?: string | null | undefined;
}

/**
 * One step of a group of jobs that the client displays: `group_started`, any number of `job_update`, one `job_completed` per
 * worker, `group_completed`. Fields have the names they have on the wire. `at` is in ms since 1970. Default: now.
 */
export type UIJobGroup = { readonly job_id: string; readonly at?: number | undefined } & (
  | {
      readonly kind: "group_started";
      readonly workers: readonly string[];
      readonly label?: string | null | undefined;
      /** Whether the client may ask to stop the group: `uiCancelJobGroup`. */
      readonly cancellable: boolean;
    }
  | { readonly kind: "job_update"; readonly worker_name: string; readonly data: unknown }
  | {
      readonly kind: "job_completed";
      readonly worker_name: string;
      readonly status: "running" | "completed" | "cancelled" | "failed" | "error";
      readonly response?: unknown;
    }
  | { readonly kind: "group_completed" }
);

const text = Type.Object({ text: Type.String() });
const level = Type.Object({ value: Type.Number() });
const record = Type.Record(Type.String(), Type.Unknown());
const name = Type.Optional(Type.String());
const transcription = Type.Object({
  text: Type.String(),
  user_id: Type.String(),
  timestamp: Type.String(),
  final: Type.Boolean(),
});
const measurements = Type.Optional(
  Type.Array(Type.Object({ processor: Type.String(), model: name, value: Type.Number() })),
);

/** The types of `ServerMessages` as schemas, for bots that were not type-checked. */
export const serverSchemas: { readonly [T in ServerMessageType]: TSchema } = {
  "bot-ready": Type.Object({
    version: Type.String(),
    about: Type.Optional(record),
    capabilities: Type.Optional(record),
  }),
  error: Type.Object({ error: Type.String(), fatal: Type.Boolean() }),
  "error-response": Type.Object({ error: Type.String() }),
  "server-response": Type.Object({ t: Type.String(), d: Type.Optional(Type.Unknown()) }),
  "server-message": Type.Unknown(),
  "user-started-speaking": Type.Undefined(),
  "user-stopped-speaking": Type.Undefined(),
  "user-mute-started": Type.Undefined(),
  "user-mute-stopped": Type.Undefined(),
  "user-input": Type.Object({
    text: Type.String(),
    input_type: Type.Union(["transcription", "chat", "backchannel"].map((kind) => Type.Literal(kind))),
    timestamp: Type.String(),
    final: Type.Boolean(),
    user_id: name,
    msg_id: name,
  }),
  "user-transcription": transcription,
  "user-llm-text": text,
  "bot-started-speaking": Type.Undefined(),
  "bot-stopped-speaking": Type.Undefined(),
  "bot-output": Type.Object({
    text: Type.String(),
    output_type: Type.String(),
    segment_id: Type.Integer(),
    will_be_spoken: Type.Boolean(),
    spoken_status: Type.Optional(
      Type.Union([Type.Literal("new"), Type.Literal("in-progress"), Type.Literal("completed")]),
    ),
    spoken_progress: Type.Optional(Type.Object({ accumulated_text: Type.String(), remaining_text: Type.String() })),
  }),
  "bot-transcription": text,
  "bot-llm-started": Type.Undefined(),
  "bot-llm-text": text,
  "bot-llm-stopped": Type.Undefined(),
  "bot-llm-marker": Type.Object({
    text: Type.String(),
    kind: name,
    raw: Type.String(),
    markers: Type.Array(Type.String()),
  }),
  "bot-llm-search-response": Type.Object({
    search_result: name,
    rendered_content: name,
    origins: Type.Array(
      Type.Object({
        site_uri: name,
        site_title: name,
        results: Type.Array(Type.Object({ text: Type.String(), confidence: Type.Array(Type.Number()) })),
      }),
    ),
  }),
  "bot-tts-started": Type.Undefined(),
  "bot-tts-text": text,
  "bot-tts-stopped": Type.Undefined(),
  "stt-raw-text": transcription,
  "llm-raw-text": text,
  "tts-raw-text": text,
  "llm-function-call-started": Type.Object({ function_name: name }),
  "llm-function-call-in-progress": Type.Object({
    tool_call_id: Type.String(),
    function_name: name,
    arguments: Type.Optional(record),
  }),
  "llm-function-call-stopped": Type.Object({
    tool_call_id: Type.String(),
    cancelled: Type.Boolean(),
    function_name: name,
    result: Type.Optional(Type.Unknown()),
  }),
  "llm-function-call": Type.Object({ function_name: Type.String(), tool_call_id: Type.String(), args: record }),
  metrics: Type.Object({
    ttfb: measurements,
    ttfa: measurements,
    ttfat: measurements,
    processing: measurements,
    characters: measurements,
    tokens: Type.Optional(
      Type.Array(
        Type.Object({
          prompt_tokens: Type.Number(),
          completion_tokens: Type.Number(),
          total_tokens: Type.Number(),
        }),
      ),
    ),
    stt_usage: Type.Optional(Type.Array(record)),
  }),
  "ui-command": Type.Object({ command: Type.String(), payload: Type.Optional(Type.Unknown()) }),
  "ui-job-group": Type.Object({
    kind: Type.Union(
      ["group_started", "job_update", "job_completed", "group_completed"].map((kind) => Type.Literal(kind)),
    ),
    job_id: Type.String(),
    at: Type.Number(),
  }),
  "bot-interrupted": Type.Undefined(),
  "vad-user-started-speaking": Type.Undefined(),
  "vad-user-stopped-speaking": Type.Undefined(),
  "user-audio-level": level,
  "bot-audio-level": level,
  "system-log": text,
  "bot-tts-audio": Type.Object({
    audio: Type.String(),
    sample_rate: Type.Integer(),
    num_channels: Type.Integer(),
  }),
};
