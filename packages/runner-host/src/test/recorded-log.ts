import type { Logger, LogLine } from "@pipecat-ts/runner-core";

/** A log line as this package's own tests read it. */
export interface RecordedLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A logger that keeps its lines, for this package's own tests. */
export function recordLog(): Logger & { readonly lines: RecordedLine[]; messages(level?: string): string[] } {
  const lines: RecordedLine[] = [];
  const create = (bindings: object): Logger => {
    const at =
      (level: string): LogLine =>
      (fields: object | string, message?: string) => {
        if (typeof fields === "string") lines.push({ level, message: fields, fields: { ...bindings } });
        else lines.push({ level, message: message ?? "", fields: { ...bindings, ...fields } });
      };
    return {
      debug: at("debug"),
      info: at("info"),
      warn: at("warn"),
      error: at("error"),
      child: (more) => create({ ...bindings, ...more }),
    };
  };
  const messages = (level?: string) =>
    lines.filter((line) => level === undefined || line.level === level).map((line) => line.message);
  return { ...create({}), lines, messages };
}
