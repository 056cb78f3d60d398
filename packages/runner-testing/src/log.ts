import type { Logger, LogLine } from "@pipecat-ts/runner-core";

/** One line that was logged. */
export interface LoggedLine {
  readonly level: "debug" | "info" | "warn" | "error";
  /** Those of the line and of the loggers it went through. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** A logger that keeps what is logged, at every level, and prints nothing. */
export interface RecordingLogger extends Logger {
  readonly lines: readonly LoggedLine[];
}

/** A recording logger without lines. */
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
