/** A stream for log lines. */
export type LogStream = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly writableLength?: number };

/** Characters that may wait for the reader of the stream. */
const maxQueued = 1024 * 1024;
/** How long lines are dropped after a failed write, until the next line is tried, in ms. */
const retryMs = 1_000;
/** The shortest time between two reports of a failure, in ms: a nearly full disk fails and works in turn. */
const reportMs = 60_000;

export interface LogOutputEvents {
  /** Lines are dropped from now on. `code` is the error's, `BLOCKED` (the reader does not read), or `LINE_TOO_LONG`. */
  onFailed(code: string): void;
  /** The stream works again, after `lines` dropped lines. */
  onRestored(lines: number): void;
}

/** Writes log lines to a stream that may fail or block. */
export interface LogOutput {
  /** Never throws. */
  write(line: string): void;
  /** Counts a line that the program dropped itself because the reader of the stream does not read. */
  countDropped(): void;
  /** Lines that were dropped. */
  readonly droppedLines: number;
}

/**
 * Writes to a stream and drops what it does not take, so that the log neither throws, nor waits, nor grows:
 *
 * - After an error (`EPIPE`, `ENOSPC`, `EIO`), lines are dropped for 1 s; then the next line is tried. It starts a
 *   new line, because the write before the error may have been cut off. No timer runs.
 * - When a reader does not read, up to 1 Mi characters wait: 1 MiB of ASCII, or up to 3 MiB of other text, and as
 *   much again while the system call copies them. Further lines are dropped until half of it is written. Longer lines
 *   are always dropped.
 *
 * Each line is written at once if the stream takes it, so that a line logged just before `process.exit` is not lost.
 *
 * How Node writes to stdout and stderr on Linux, observed on 22.23 and 24.21: to pipes without blocking, with an
 * unbounded queue; to files synchronously, with the error in the callback; to terminals synchronously, so that a
 * stopped terminal (Ctrl-S) stops the process, unless it was made non-blocking, as the command does. pino's own
 * destination is not used: on a blocked pipe, it sleeps on the event loop and queues without a bound, or keeps
 * `process.exit` from ending the process (`sync: false`).
 */
export function createLogOutput(stream: LogStream, { onFailed, onRestored }: LogOutputEvents): LogOutput {
  let droppedLines = 0;
  let unreported = 0;
  /** Why lines are dropped. */
  let failure: string | undefined;
  let lastError: { readonly code: string; readonly atMs: number } | undefined;
  let reportedMs = Number.NEGATIVE_INFINITY;

  if (!stream.listeners("error").includes(ignoreError)) stream.on("error", ignoreError);

  function queued(): number {
    return stream.writableLength ?? 0;
  }

  function drop(code: string): void {
    droppedLines += 1;
    unreported += 1;
    if (failure !== undefined) return;
    failure = code;
    if (performance.now() - reportedMs < reportMs) return;
    reportedMs = performance.now();
    onFailed(code);
  }

  function failed(error: Error): void {
    const { code = error.name } = error as NodeJS.ErrnoException;
    lastError = { code, atMs: performance.now() };
    drop(code);
  }

  function settled(error?: Error | null): void {
    if (error) failed(error);
    else if (failure !== undefined && queued() <= maxQueued / 2) restored();
  }

  function restored(): void {
    failure = undefined;
    lastError = undefined;
    const lines = unreported;
    unreported = 0;
    onRestored(lines);
  }

  return {
    get droppedLines() {
      return droppedLines;
    },
    countDropped: () => drop("BLOCKED"),
    write(line) {
      if (line.length > maxQueued) return drop("LINE_TOO_LONG");
      if (queued() + line.length > maxQueued) return drop("BLOCKED");
      if (lastError && performance.now() - lastError.atMs < retryMs) return drop(lastError.code);
      try {
        stream.write(lastError ? `\n${line}` : line, settled);
      } catch (error) {
        failed(error as Error);
      }
    },
  };
}

/** The callback of each write gets the error too. Without a listener, Node would throw it as an uncaught exception. */
const ignoreError = () => undefined;
