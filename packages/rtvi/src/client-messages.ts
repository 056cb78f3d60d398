import Type, { type Static, type TSchema } from "typebox";
import type { ClientRequest, RTVIEvents } from "./client-events.ts";
import { problemWith } from "./messages.ts";
import { type RawAudioData, rawAudioProblem, rawAudioSchema, readRawAudio } from "./raw-audio.ts";
import { snapshotProblem, type UISnapshot } from "./ui-snapshot.ts";

/** How a row tells the bot of its message. */
export interface Answers extends ClientRequest {
  respond(type: string, data: unknown): Promise<void>;
}

/** One type of message from the client. */
export interface ClientMessageRow {
  /** The event it becomes. */
  readonly event: keyof RTVIEvents;
  /** Whether each message makes the one before it obsolete. */
  readonly latestOnly: boolean;
  /** What is wrong with its `data`, naming the field; undefined when nothing is. */
  problem(data: unknown): string | undefined;
  /** What the bot is told, one event for each. `data` has no problem. */
  read(data: unknown, answers: Answers): readonly RTVIEvents[keyof RTVIEvents][];
}

const optionalText = Type.Optional(Type.Union([Type.String(), Type.Null()]));
const key = Type.String({ pattern: "^[0-9*#]$" });

/** Every message from the client but `client-ready`, by its type. */
export const clientMessages: ReadonlyMap<string, ClientMessageRow> = new Map([
  [
    "client-message",
    row({
      event: "clientMessage",
      schema: Type.Object({ t: Type.String(), d: Type.Optional(Type.Unknown()) }),
      read: ({ t, d }, { id, error, respond }) => [
        { id, type: t, data: d, error, respond: (data) => respond(t, data) },
      ],
    }),
  ],
  [
    "send-text",
    row({
      event: "sendText",
      schema: Type.Object({
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
      read: ({ content, options }, { id, error }) => [
        {
          id,
          content,
          runImmediately: options?.run_immediately ?? true,
          audioResponse: options?.audio_response ?? true,
          error,
        },
      ],
    }),
  ],
  [
    "dtmf",
    row({
      event: "dtmf",
      // Clients of 2.1 send all keys of a sequence in `buttons`, those of 2.0 each in a `button`.
      schema: Type.Object({
        buttons: Type.Optional(Type.Array(key, { minItems: 1 })),
        button: Type.Optional(key),
      }),
      check: ({ buttons, button }) => (buttons ?? button) === undefined && "data must have required properties buttons",
      read: ({ buttons, button }) => buttons ?? [button as string],
    }),
  ],
  [
    "llm-function-call-result",
    row({
      event: "llmFunctionCallResult",
      schema: Type.Object({
        function_name: Type.String(),
        tool_call_id: Type.String(),
        arguments: Type.Record(Type.String(), Type.Unknown()),
        result: Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.String()]),
      }),
      read: ({ function_name, tool_call_id, arguments: args, result }, { id, error }) => [
        { id, callId: tool_call_id, name: function_name, args, result, error },
      ],
    }),
  ],
  [
    "ui-event",
    row({
      event: "uiEvent",
      schema: Type.Object({ event: Type.String(), payload: Type.Optional(Type.Unknown()) }),
      read: ({ event, payload }, { id, error }) => [{ id, event, payload, error }],
    }),
  ],
  [
    "ui-snapshot",
    row({
      event: "uiSnapshot",
      latestOnly: true,
      schema: Type.Object({ tree: Type.Object({}) }),
      check: ({ tree }) => snapshotProblem(tree, "data.tree"),
      read: ({ tree }, { id, error }) => [{ id, tree: tree as UISnapshot, error }],
    }),
  ],
  [
    "ui-cancel-job-group",
    row({
      event: "uiCancelJobGroup",
      schema: Type.Object({ job_id: Type.String(), reason: optionalText }),
      read: ({ job_id, reason }, { id, error }) => [{ id, jobId: job_id, reason: reason ?? undefined, error }],
    }),
  ],
  ["raw-audio", rawAudioRow()],
  ["raw-audio-batch", rawAudioRow()],
  [
    "disconnect-bot",
    row({ event: "disconnectBot", schema: Type.Object({}), read: (_, { id, error }) => [{ id, error }] }),
  ],
]);

function rawAudioRow(): ClientMessageRow {
  return row({
    event: "rawAudio",
    schema: rawAudioSchema,
    check: (data) => rawAudioProblem(data as RawAudioData),
    read: (data, { id, error }) => [{ id, ...readRawAudio(data as RawAudioData), error }],
  });
}

/** `check` finds what a schema cannot say. */
function row<E extends keyof RTVIEvents, S extends TSchema>(options: {
  readonly event: E;
  readonly latestOnly?: boolean;
  readonly schema: S;
  check?(data: Static<S>): string | false | undefined;
  read(data: Static<S>, answers: Answers): readonly RTVIEvents[E][];
}): ClientMessageRow {
  const { event, latestOnly = false, schema, check, read } = options;
  return {
    event,
    latestOnly,
    problem: (data) => problemWith(schema, data, "data") ?? (check?.(data as Static<S>) || undefined),
    read: (data, answers) => read(data as Static<S>, answers),
  };
}
