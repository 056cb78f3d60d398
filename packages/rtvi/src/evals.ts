import * as Type from "typebox";
import { type ClientMessageRow, optional, row } from "./message-row.ts";
import { problemWith, type ReceivedMessage } from "./messages.ts";
import { functionCallReportLevels, type Reports } from "./reports.ts";

/** Messages that a context starts from, and the fields of each. Contents are not validated. */
const maxMessages = 1_000;
const maxFields = 100;
/** Functions with a report level of their own. */
const maxFunctions = 1_000;

/** Returns the harness's message in a `client-message` with the type `t` and the data `d`, or any other message unchanged. */
export function unwrapEval(message: ReceivedMessage): ReceivedMessage {
  const { t, d } = (message.data ?? {}) as { readonly t?: unknown; readonly d?: unknown };
  if (message.type !== "client-message" || (t !== "eval-context" && t !== "eval-configure")) return message;
  return { ...message, type: t, data: d as object };
}

/** `data` of an `eval-context`. */
export const evalContext: ClientMessageRow = row({
  event: "evalContext",
  latestOnly: true,
  schema: Type.Object({
    messages: Type.Array(Type.Record(Type.String(), Type.Unknown(), { maxProperties: maxFields }), {
      maxItems: maxMessages,
    }),
  }),
  read: ({ messages }, { id, error }) => [{ id, messages, error }],
});

const level = Type.Union(functionCallReportLevels.map((name) => Type.Literal(name)));
const configuration = Type.Object({
  function_call_report_level: optional(Type.Record(Type.String(), level, { maxProperties: maxFunctions })),
  llm_markers: optional(Type.Boolean()),
});

/**
 * Applies `data` of an `eval-configure`. Its `vad_user_speaking` needs no change: a bot's reports of voice activity are always
 * sent. Describes what is wrong with it; undefined if it was applied.
 */
export function configureReports(reports: Reports, data: unknown): string | undefined {
  const problem = problemWith(configuration, data, "data");
  if (problem !== undefined) return problem;
  const { function_call_report_level: levels, llm_markers: llmMarkers } = data as Type.Static<typeof configuration>;
  reports.levels = levels ?? reports.levels;
  reports.llmMarkers = llmMarkers ?? reports.llmMarkers;
  return undefined;
}
