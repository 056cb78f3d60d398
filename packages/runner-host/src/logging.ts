import type { Logger } from "@pipecat-ts/runner-core";
import pino from "pino";
import pretty from "pino-pretty";

/** How a runner's log looks. */
export interface LoggerOptions {
  /** The least line that is written. Default `info`. */
  readonly level?: "debug" | "info" | "warn" | "error" | "silent";
  /** Lines for people rather than JSON. Default: when `stream` is a terminal. */
  readonly pretty?: boolean;
  /** Coloured lines for people. Default: when `stream` is a terminal and NO_COLOR is not set. */
  readonly color?: boolean;
  /** Where it goes. Default: stdout. */
  readonly stream?: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** Default: the process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Writes a runner's log with pino: JSON lines, or lines for people on a terminal. */
export function createLogger(options: LoggerOptions = {}): Logger {
  const { level = "info", stream = process.stdout, env = process.env } = options;
  const settings = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (!(options.pretty ?? stream.isTTY === true)) return pino(settings, stream);
  const colorize = options.color ?? (stream.isTTY === true && !env.NO_COLOR);
  const ignore = "session,transport";
  return pino(
    settings,
    pretty({
      colorize,
      ignore,
      singleLine: true,
      translateTime: "SYS:HH:MM:ss.l",
      messageFormat,
      destination: stream,
      sync: true,
    }),
  );
}

/** Says whom a line is about ahead of it: eight characters tell the sessions on a screen apart. */
function messageFormat(log: Record<string, unknown>, messageKey: string): string {
  const session = typeof log.session === "string" ? log.session.slice(0, 8) : undefined;
  const about = [log.transport, session].filter((part) => part !== undefined).join(" ");
  return about === "" ? `${log[messageKey]}` : `[${about}] ${log[messageKey]}`;
}
