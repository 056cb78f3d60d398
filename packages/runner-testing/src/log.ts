import type { Logger, LogLine } from "@pipecat-ts/runner-core";

/** One recorded log line. */
export interface LoggedLine {
  readonly level: "debug" | "info" | "warn" | "error";
  /** The fields of the line and of its child loggers. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** A logger that records lines of every level and prints nothing. */
export interface RecordingLogger extends Logger {
  readonly lines: readonly LoggedLine[];
}

/** An empty recording logger. */
export function createRecordingLogger(): RecordingLogger {
  const lines: LoggedLine[] = [];
  const bound = (bindings: Readonly<Record<string, unknown>>): RecordingLogger => {
    const line = (level: LoggedLine["level"]): LogLine => {
      return (first: object | string, message?: string) => {
        if (typeof first === "string") lines.push({ level, fields: bindings, message: first });
        else lines.push({ level, fields: { ...bindings, ...first }, message: message ?? "" });
      };
    };
    return {
      lines,
      debug: line("debug"),
      info: line("info"),
      warn: line("warn"),
      error: line("error"),
      child: (more) => bound({ ...bindings, ...more }),
    };
  };
  return bound({});
}
