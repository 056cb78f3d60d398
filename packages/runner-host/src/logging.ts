import type { Logger } from "@pipecat-ts/runner-core";
import pino from "pino";
import { prettyFactory } from "pino-pretty";
import { explainError } from "./explain-error.ts";
import { createLogOutput, type LogStream } from "./log-output.ts";

/** How a runner logs. */
export interface LoggerOptions {
  /** Default `info`. */
  readonly level?: "debug" | "info" | "warn" | "error" | "silent";
  /** Lines for people instead of JSON. Default: when the stream is a terminal. */
  readonly pretty?: boolean;
  /**
   * For lines for people: instead of its stack, an error has the place in the program's own code, its message and its fix, and then
   * this text, which says how to see stacks.
   */
  readonly stackHint?: string | undefined;
  /** Colors. Default: when the stream is a terminal and NO_COLOR is not set. */
  readonly color?: boolean;
  /** Default: stdout. */
  readonly stream?: LogStream;
  /** Gets one line when `stream` cannot be written. Default: stderr, or stdout if `stream` is stderr. */
  readonly fallback?: LogStream;
  /** Default: the process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** A logger that counts the lines it dropped. */
export interface CountingLogger extends Logger {
  /** Lines that could not be written, of this logger and its children. */
  readonly droppedLines: number;
  /** Counts and reports a line that the program dropped itself because nobody reads its output. */
  countDropped(): void;
}

/** Any logger. If it counts dropped lines, the metrics include them. */
export type RunnerLogger = Logger & Partial<CountingLogger>;

/**
 * Logs with pino: JSON lines, or lines for people on a terminal. Logging never throws, blocks, or uses unbounded
 * memory: lines that `stream` does not take are dropped and counted. The first of them is reported on `fallback`, and
 * the number of dropped lines on `stream` when it works again.
 */
export function createLogger(options: LoggerOptions = {}): CountingLogger {
  const { stream = process.stdout } = options;
  const { fallback = stream === process.stderr ? process.stdout : process.stderr } = options;
  const output = createLogOutput(stream, {
    onFailed: (code) => reporter.warn({ code }, "log cannot be written; lines are dropped"),
    onRestored: (lines) => logger.warn({ lines }, "log lines dropped"),
  });
  const reports = createLogOutput(fallback, { onFailed: () => undefined, onRestored: () => undefined });
  const logger = createPino(options, stream, output.write);
  const reporter = createPino(options, fallback, reports.write);
  return Object.defineProperties(logger, {
    droppedLines: { get: () => output.droppedLines },
    countDropped: { value: output.countDropped },
  }) as CountingLogger;
}

function createPino(options: LoggerOptions, stream: LogStream, write: (line: string) => void): Logger {
  const { level = "info", env = process.env, stackHint } = options;
  const settings = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, hooks: { logMethod } };
  if (!(options.pretty ?? stream.isTTY === true)) return pino(settings, { write });
  const format = prettyFactory({
    colorize: options.color ?? (stream.isTTY === true && !env.NO_COLOR),
    ignore: stackHint === undefined ? "session,transport" : "session,transport,err",
    singleLine: true,
    translateTime: "SYS:HH:MM:ss.l",
    messageFormat: (log, messageKey) => messageFormat(log, messageKey) + errorFormat(log, stackHint),
  });
  return pino(settings, { write: (line) => write(format(line)) });
}

/** Fields of a bot's error may throw when they are read. */
function logMethod(this: pino.Logger, args: Parameters<pino.LogFn>, method: pino.LogFn): void {
  try {
    method.apply(this, args);
  } catch {
    method.call(this, { err: "an error that throws when it is read" }, String(args[1] ?? args[0]));
  }
}

/** What follows the event of a line: an error, and its fix on a line of its own. */
function errorFormat({ err }: Record<string, unknown>, stackHint: string | undefined): string {
  if (stackHint === undefined || err === undefined) return "";
  const { summary, fix = "" } = explainError(err);
  return `: ${summary}\n    → ${[fix, stackHint].join(" ").trim()}`;
}

/** Puts the transport and the last eight characters of the session id in front of the event: the ids of a gateway begin alike. */
function messageFormat(log: Record<string, unknown>, messageKey: string): string {
  const session = typeof log.session === "string" ? log.session.slice(-8) : undefined;
  const about = [log.transport, session].filter((part) => part !== undefined).join(" ");
  return about === "" ? `${log[messageKey]}` : `[${about}] ${log[messageKey]}`;
}
