/** Writes one log line: an event, or fields and an event. Errors go into the field `err`. */
export interface LogLine {
  (event: string): void;
  (fields: object, event: string): void;
}

/** The log of a runner, a transport or a session. pino's loggers fit. */
export interface Logger {
  readonly debug: LogLine;
  readonly info: LogLine;
  readonly warn: LogLine;
  readonly error: LogLine;
  child(bindings: Record<string, unknown>): Logger;
}
