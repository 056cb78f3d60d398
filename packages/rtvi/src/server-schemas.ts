import Type, { type TSchema } from "typebox";
import type { ServerMessageType } from "./server-messages.ts";

const text = Type.Object({ text: Type.String() });
const level = Type.Object({ value: Type.Number() });
const record = Type.Record(Type.String(), Type.Unknown());
const name = Type.Optional(Type.String());
const measurements = Type.Optional(
  Type.Array(Type.Object({ processor: Type.String(), model: name, value: Type.Number() })),
);

/** What `data` of each message must be: the types of `ServerMessages`, for bots whose types were not checked. */
export const serverSchemas: { readonly [T in ServerMessageType]: TSchema } = {
  "bot-ready": Type.Object({ version: Type.String(), about: Type.Optional(record) }),
  error: Type.Object({ error: Type.String(), fatal: Type.Boolean() }),
  "error-response": Type.Object({ error: Type.String() }),
  "server-response": Type.Object({ t: Type.String(), d: Type.Optional(Type.Unknown()) }),
  "server-message": Type.Unknown(),
  "user-started-speaking": Type.Undefined(),
  "user-stopped-speaking": Type.Undefined(),
  "user-mute-started": Type.Undefined(),
  "user-mute-stopped": Type.Undefined(),
  "user-transcription": Type.Object({
    text: Type.String(),
    user_id: Type.String(),
    timestamp: Type.String(),
    final: Type.Boolean(),
  }),
  "user-llm-text": text,
  "bot-started-speaking": Type.Undefined(),
  "bot-stopped-speaking": Type.Undefined(),
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
  "bot-transcription": text,
  "bot-llm-started": Type.Undefined(),
  "bot-llm-text": text,
  "bot-llm-stopped": Type.Undefined(),
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
