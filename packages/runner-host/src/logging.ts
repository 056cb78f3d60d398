import type { Logger } from "@pipecat-ts/runner-core";
import pino from "pino";
import pretty from "pino-pretty";

/** How a runner logs. */
export interface LoggerOptions {
  /** Default `info`. */
  readonly level?: "debug" | "info" | "warn" | "error" | "silent";
  /** Lines for people instead of JSON. Default: when `stream` is a terminal. */
  readonly pretty?: boolean;
  /** Colors. Default: when `stream` is a terminal and NO_COLOR is not set. */
  readonly color?: boolean;
  /** Default: stdout. */
  readonly stream?: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** Default: the process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Logs with pino: JSON lines, or lines for people on a terminal. */
export function createLogger(options: LoggerOptions = {}): Logger {
  const { level = "info", stream = process.stdout, env = process.env } = options;
  const settings = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (!(options.pretty ?? stream.isTTY === true)) return pino(settings, stream);
  const colorize = options.color ?? (stream.isTTY === true && !env.NO_COLOR);
  return pino(
    settings,
    pretty({
      colorize,
      ignore: "session,transport",
      singleLine: true,
      translateTime: "SYS:HH:MM:ss.l",
      messageFormat,
      destination: stream,
      sync: true,
    }),
  );
}

/** Puts the transport and the first eight characters of the session id in front of the event. */
function messageFormat(log: Record<string, unknown>, messageKey: string): string {
  const session = typeof log.session === "string" ? log.session.slice(0, 8) : undefined;
  const about = [log.transport, session].filter((part) => part !== undefined).join(" ");
  return about === "" ? `${log[messageKey]}` : `[${about}] ${log[messageKey]}`;
}
