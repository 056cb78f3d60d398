/** Writes one log line: a sentence, or fields and a sentence. */
export interface LogLine {
  (message: string): void;
  (fields: object, message: string): void;
}

/** What the runner and its transports log through; pino's loggers fit it. */
export interface Logger {
  readonly debug: LogLine;
  readonly info: LogLine;
  readonly warn: LogLine;
  readonly error: LogLine;
  child(bindings: Record<string, unknown>): Logger;
}
