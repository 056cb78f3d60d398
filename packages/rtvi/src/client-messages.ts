import * as Type from "typebox";
import type { RawAudio, UISnapshot } from "./client-events.ts";
import { sendFile } from "./files.ts";
import { type ClientMessageRow, optional, row } from "./message-row.ts";
import { longText, problemWith, shortText } from "./messages.ts";

/** Keys in one message: a phone number and a PIN fit. */
const maxKeys = 50;
const key = Type.String({ pattern: "^[0-9*#]$", maxLength: 1 });
/** Pieces in one message. The Daily client sends at most 10, of 512 samples each. */
const maxPieces = 500;
/** Arguments and results of functions: objects whose values are not validated. */
const record = Type.Record(Type.String(), Type.Unknown(), { maxProperties: 1_000 });

/** All client messages except `client-ready`, by type. */
export const clientMessages: ReadonlyMap<string, ClientMessageRow> = new Map([
  [
    "client-message",
    row({
      event: "clientMessage",
      schema: Type.Object({ t: shortText, d: Type.Optional(Type.Unknown()) }),
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
        content: longText,
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
  ["send-file", sendFile],
  [
    "dtmf",
    row({
      event: "dtmf",
      // Protocol 2.1 sends a sequence of keys in `buttons`, protocol 2.0 each key in a `button`.
      schema: Type.Object({
        buttons: Type.Optional(Type.Array(key, { minItems: 1, maxItems: maxKeys })),
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
        function_name: shortText,
        tool_call_id: shortText,
        arguments: record,
        result: Type.Union([record, longText]),
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
      schema: Type.Object({ event: shortText, payload: Type.Optional(Type.Unknown()) }),
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
      schema: Type.Object({ job_id: shortText, reason: optional(longText) }),
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

/** The `data` of `raw-audio` and `raw-audio-batch`: 16-bit little-endian samples in base64, as one or several pieces. */
interface RawAudioData {
  readonly base64Audio?: string;
  readonly base64AudioBatch?: readonly string[];
  readonly sampleRate: number;
  readonly numChannels: number;
}

function rawAudioRow(): ClientMessageRow {
  const base64 = Type.String({ pattern: "^[A-Za-z0-9+/]*={0,2}$", maxLength: 1_000_000 });
  return row({
    event: "rawAudio",
    schema: Type.Object({
      base64Audio: Type.Optional(base64),
      base64AudioBatch: Type.Optional(Type.Array(base64, { maxItems: maxPieces })),
      sampleRate: Type.Integer({ minimum: 1_000, maximum: 192_000 }),
      numChannels: Type.Integer({ minimum: 1, maximum: 8 }),
    }),
    check(data) {
      const bytes = 2 * data.numChannels;
      if (piecesOf(data).every((piece) => Buffer.byteLength(piece, "base64") % bytes === 0)) return undefined;
      return `data must hold whole samples of ${bytes} bytes`;
    },
    read: (data, { id, error }) => [{ id, ...readRawAudio(data), error }],
  });
}

/** Decodes valid audio. Empty pieces give no frame. */
function readRawAudio(data: RawAudioData): RawAudio {
  const { sampleRate, numChannels: channels } = data;
  const pieces = piecesOf(data).filter((piece) => piece !== "");
  return { frames: pieces.map((piece) => ({ samples: decode(piece), sampleRate, channels })) };
}

/** Like Pipecat's Python runner, accepts either field in either message and prefers the batch. */
function piecesOf({ base64Audio = "", base64AudioBatch = [] }: RawAudioData): readonly string[] {
  return base64AudioBatch.length > 0 ? base64AudioBatch : [base64Audio];
}

function decode(piece: string): Int16Array {
  const bytes = Buffer.from(piece, "base64");
  const samples = new Int16Array(bytes.length / 2);
  for (let index = 0; index < samples.length; index++) samples[index] = bytes.readInt16LE(index * 2);
  return samples;
}

/** Elements of a page. client-js 1.13 sends at most 200, and 10 levels. */
const maxNodes = 2_000;
const maxLevels = 50;
/** States of an element: ARIA has 10. */
const maxStates = 50;

/** -1 is ARIA's unknown number of rows or columns. */
const integer = optional(Type.Integer({ minimum: -1, maximum: 2 ** 31 }));

const snapshot = Type.Object({
  root: Type.Object({}),
  captured_at: Type.Number({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  selection: optional(Type.Object({ ref: shortText, text: longText, start_offset: integer, end_offset: integer })),
});
const node = Type.Object({
  ref: shortText,
  role: shortText,
  name: optional(longText),
  value: optional(longText),
  state: optional(Type.Array(shortText, { maxItems: maxStates })),
  level: integer,
  colcount: integer,
  rowcount: integer,
  children: optional(Type.Array(Type.Object({}), { maxItems: maxNodes })),
});

/** Describes what is wrong with a snapshot and names the field. */
function snapshotProblem(tree: unknown, name: string): string | undefined {
  const problem = problemWith(snapshot, tree, name);
  if (problem !== undefined) return problem;
  let nodes = 0;
  const open = [{ element: (tree as UISnapshot).root, name: `${name}.root`, level: 1 }];
  for (let next = open.pop(); next; next = open.pop()) {
    const { element, name: path, level } = next;
    nodes += 1;
    if (nodes > maxNodes) return `${name} must not have more than ${maxNodes} nodes`;
    if (level > maxLevels) return `${name} must not have more than ${maxLevels} levels`;
    const nodeProblem = problemWith(node, element, path);
    if (nodeProblem !== undefined) return nodeProblem;
    element.children?.forEach((child, index) => {
      open.push({ element: child, name: `${path}.children.${index}`, level: level + 1 });
    });
  }
  return undefined;
}
