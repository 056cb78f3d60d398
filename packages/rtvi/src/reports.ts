/**
 * How much of a function call the client sees. `disabled`: nothing; `none`: its id; `name`: also its name; `arguments`: also
 * its arguments; `full`: also its result.
 */
export type FunctionCallReportLevel = (typeof functionCallReportLevels)[number];

/** The levels, from the least to the most. */
export const functionCallReportLevels = ["disabled", "none", "name", "arguments", "full"] as const;

/** Which of the bot's reports its clients receive. */
export interface ReportOptions {
  /**
   * Limits what `llmFunctionCallStarted`, `-InProgress` and `-Stopped` send: one level, or a level for each function, where
   * `"*"` is for all others. Default `full`: the client sees what the bot passes. Does not limit `callFunction`, because the
   * client must know the functions that it runs.
   */
  readonly functionCallReportLevel?:
    | FunctionCallReportLevel
    | Readonly<Record<string, FunctionCallReportLevel>>
    | undefined;
  /**
   * Sends the bot's texts also as they are: `stt-raw-text` for each `userTranscription`, `llm-raw-text` for each `botLlmText`,
   * `tts-raw-text` for each `botTtsText`. Default: none.
   */
  readonly rawTexts?:
    | { readonly stt?: boolean | undefined; readonly llm?: boolean | undefined; readonly tts?: boolean | undefined }
    | undefined;
  /** Whether `botLlmMarker` sends anything. A marker comes with everything that the model wrote. Default false. */
  readonly llmMarkers?: boolean | undefined;
}

/** The reports that clients receive now. An eval harness may change them. */
export interface Reports {
  levels: FunctionCallReportLevel | Readonly<Record<string, FunctionCallReportLevel>>;
  llmMarkers: boolean;
  readonly rawTexts: NonNullable<ReportOptions["rawTexts"]>;
}

export function createReports(options: ReportOptions): Reports {
  const { functionCallReportLevel: levels = "full", llmMarkers = false, rawTexts = {} } = options;
  return { levels, llmMarkers, rawTexts };
}

/** The parts of a function call that a level may hide. */
export interface FunctionCallDetails {
  readonly name?: string | undefined;
  readonly args?: Readonly<Record<string, unknown>> | undefined;
  readonly result?: unknown;
}

/** Returns what the client sees of a function call. Undefined if it must not be reported. */
export function visibleDetails(
  { levels }: Reports,
  { name, args, result }: FunctionCallDetails,
): FunctionCallDetails | undefined {
  const level = functionCallReportLevels.indexOf(levelOf(levels, name));
  const sees = (required: FunctionCallReportLevel) => level >= functionCallReportLevels.indexOf(required);
  if (!sees("none")) return undefined;
  return {
    name: sees("name") ? name : undefined,
    args: sees("arguments") ? args : undefined,
    result: sees("full") ? result : undefined,
  };
}

/** A call without a name, or without a level of its own, has the level `"*"`; if there is none, the least that reports it. */
function levelOf(levels: Reports["levels"], name: string | undefined): FunctionCallReportLevel {
  if (typeof levels === "string") return levels;
  const own = name !== undefined && Object.hasOwn(levels, name) ? levels[name] : undefined;
  return own ?? levels["*"] ?? "none";
}
