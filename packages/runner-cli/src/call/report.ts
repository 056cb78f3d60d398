import { styleText } from "node:util";
import { helpSections } from "../command-line.ts";
import type { FlagGroup } from "../flags.ts";
import type { Expectation } from "./expectations.ts";
import type { CallFigures } from "./figures.ts";
import { type CallResult, describeEnd } from "./place-call.ts";
import { printable } from "./printable.ts";

/** A call with the reasons why it failed: its own, and the conditions of `--expect` that it does not meet. */
export type CheckedResult = CallResult & { readonly failures: readonly string[] };

/** What is printed after the calls. */
export interface CallReport {
  readonly transport: string;
  readonly url: string;
  readonly results: readonly CheckedResult[];
  /** How many calls were to be placed. */
  readonly planned: number;
  readonly expectations: readonly Expectation[];
  readonly notes: readonly string[];
  readonly recordedTo?: string | undefined;
}

type Stream = NodeJS.WriteStream;

/** The summary for people. Colored when `stream` is a terminal and NO_COLOR is not set. */
export function reportText(report: CallReport, stream: Stream): string {
  const { results, planned, expectations, notes, recordedTo } = report;
  const paint = (format: Parameters<typeof styleText>[0], text: string) => styleText(format, text, { stream });
  const [only] = results;
  const rows = results.length === 1 && only ? callRows(only) : percentileRows(results);
  if (recordedTo !== undefined) rows.push(["recorded", recordedTo]);
  const width = Math.max(0, ...rows.map(([label]) => label.length)) + 2;
  const failures = countTexts(results.flatMap(({ failures: own }) => own));
  const protocolErrors = countTexts(results.flatMap(({ protocolErrors: own }) => own));
  const failed = results.filter(({ failures: own }) => own.length > 0).length;
  const isInterrupted = results.length < planned;
  const failure = results.length === 1 ? "The call failed." : `${failed} of ${results.length} calls failed.`;
  const problem = isInterrupted ? `Interrupted: ${results.length} of ${planned} calls were placed.` : failure;
  const verdict =
    isInterrupted || failed > 0
      ? paint(["bold", "red"], problem)
      : paint(["bold", "green"], expectations.length === 0 ? "OK" : "OK: every expectation is met.");
  return [
    ...rows.map(([label, value]) => `  ${paint("dim", label.padEnd(width))}${value}`),
    ...failures.map((text) => `  ${paint("red", "✗")} ${text}`),
    ...protocolErrors.map(
      (text) => `  ${paint("yellow", "!")} The vendor would reject a message of the runner: ${text}`,
    ),
    ...notes.map((text) => `  ${paint("yellow", "!")} ${text}`),
    `  ${verdict}`,
  ].join("\n");
}

/** One JSON object: every call, with the code of its failure, and percentiles of the figures. Durations are in ms, levels in dBFS. */
export function reportJson({
  transport,
  url,
  results,
  planned,
  notes,
}: Omit<CallReport, "recordedTo" | "expectations">): string {
  const calls = results.map(({ figures, end, sessionReason, failure, failures, protocolErrors, transcript }) => ({
    ok: failures.length === 0,
    code: failure?.code ?? null,
    ...rounded(figures),
    end: end ?? null,
    sessionReason: sessionReason ?? null,
    transcript,
    failures,
    protocolErrors,
  }));
  const percentiles = Object.fromEntries(percentileFigures.map(({ name }) => [name, percentilesOf(name, results)]));
  const failed = results.filter(({ failures }) => failures.length > 0).length;
  const answered = results.filter(({ end }) => end !== undefined).length;
  return JSON.stringify({ transport, url, planned, answered, failed, calls, percentiles, notes }, null, 2);
}

/** The text for `pipecat-runner call --help`. */
export function helpText(groups: readonly FlagGroup[], columns?: number): string {
  const sections = helpSections(groups, undefined, columns);
  const usage = [
    "Usage: pipecat-runner call <transport> [options]",
    "",
    "Calls the bot of a runner, like an app or a phone carrier, and prints what was measured.",
  ];
  return [...usage, ...sections.flatMap(({ title, body }) => ["", `${title}:`, body])].join("\n");
}

/** Notes on calls that the bot ended before any audio, over a transport that does not tell why. */
export function silentEndNotes(transport: string, results: readonly CallResult[]): readonly string[] {
  const count = results.filter(
    ({ figures, failure, end, sessionReason }) =>
      !failure && end?.by === "bot" && (end.code ?? sessionReason) === undefined && figures.firstAudioMs === undefined,
  ).length;
  if (count === 0) return [];
  const calls = count === 1 ? "the call" : `${count} calls`;
  return [
    `The bot ended ${calls} before any audio. ${transport} does not tell why a call ended: see the runner's log.`,
  ];
}

type Row = [label: string, value: string];

function callRows({ figures, end, sessionReason }: CallResult): Row[] {
  if (!end) return [];
  const { answerMs, firstAudioMs, bargeInMs, heardMs, levelDb, gaps, longestGapMs, durationMs } = figures;
  const pauses = gaps === 0 ? "none" : `${gaps}, the longest of ${ms(longestGapMs)}`;
  return [
    ["answered after", ms(answerMs)],
    ["first audio", firstAudioMs === undefined ? "none: the bot was silent" : `${ms(firstAudioMs)} after the answer`],
    ...(bargeInMs === undefined ? [] : ([["barge-in", `the bot was silent after ${ms(bargeInMs)}`]] satisfies Row[])),
    ...(levelDb === undefined
      ? []
      : ([
          ["heard", `${seconds(heardMs)} at ${levelDb.toFixed(1)} dBFS`],
          ["gaps", pauses],
        ] satisfies Row[])),
    [
      "ended",
      `by the ${end.by} after ${seconds(durationMs)}${end.by === "bot" ? `: ${printable(sessionReason ?? describeEnd(end))}` : ""}`,
    ],
  ];
}

const percentileFigures = [
  { name: "answerMs", label: "answer" },
  { name: "firstAudioMs", label: "first audio" },
  { name: "bargeInMs", label: "barge-in" },
  { name: "longestGapMs", label: "longest gap" },
  { name: "gaps", label: "gaps" },
] as const satisfies readonly { readonly name: keyof CallFigures; readonly label: string }[];

function percentileRows(results: readonly CheckedResult[]): Row[] {
  const answered = results.filter(({ end }) => end !== undefined).length;
  const silent = results.filter(({ end, figures }) => end && figures.firstAudioMs === undefined).length;
  const heads = ["p50", "p95", "p99", "max"].map((head) => head.padStart(9)).join("");
  return [
    ["calls", `${results.length}, ${answered} answered${silent === 0 ? "" : `, ${silent} without audio of the bot`}`],
    ["", heads],
    ...percentileFigures.flatMap(({ name, label }): Row[] => {
      const found = percentilesOf(name, results);
      if (!found) return [];
      const unit = name === "gaps" ? String : ms;
      const cells = [found.p50, found.p95, found.p99, found.max].map((value) => unit(value).padStart(9));
      return [[label, cells.join("")]];
    }),
  ];
}

function percentilesOf(name: keyof CallFigures, results: readonly CheckedResult[]) {
  const values = results.flatMap(({ end, figures }) => (end && figures[name]) ?? []).sort((a, b) => a - b);
  if (values.length === 0) return undefined;
  const at = (share: number) => round(values[Math.max(0, Math.ceil(share * values.length) - 1)] ?? 0);
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}

function rounded(figures: CallFigures): Readonly<Record<string, number | null>> {
  return Object.fromEntries(
    Object.entries(figures).map(([name, value]) => [name, value === undefined ? null : round(value)]),
  );
}

/** Each text once, with how often it occurs. */
function countTexts(texts: readonly string[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const text of texts.map(printable)) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].map(([text, count]) => (count === 1 ? text : `${count} × ${text}`));
}

function ms(value: number | undefined): string {
  return `${Math.round(value ?? 0)} ms`;
}

function seconds(value: number): string {
  return `${(value / 1000).toFixed(1)} s`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
