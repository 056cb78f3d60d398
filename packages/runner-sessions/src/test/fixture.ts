import type { Bot, CloseReason, Logger, LogLine, MediaPort, RunnerArguments, Transport } from "@pipecat-ts/runner-core";
import { connectKey } from "@pipecat-ts/runner-core";
import { createSessionEngine, type SessionEngine, type SessionEngineOptions } from "../engine.ts";
import type { HostSession } from "../session.ts";

/** A session engine without a server, and its log. */
export interface EngineFixture {
  readonly engine: SessionEngine;
  readonly log: RecordedLog;
  create(
    body?: unknown,
    options?: { readonly reserve?: boolean; readonly id?: string; readonly ringMs?: number },
  ): HostSession;
}

export interface RecordedLog extends Logger {
  readonly lines: {
    readonly level: string;
    readonly message: string;
    readonly fields: Readonly<Record<string, unknown>>;
  }[];
  messages(level?: string): string[];
}

/** Runs until its signal aborts. */
export const untilAborted: Bot = ({ signal }) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });

export function createEngineFixture(options: Partial<SessionEngineOptions> = {}): EngineFixture {
  const log = createRecordedLog();
  const engine = createSessionEngine(
    {
      bot: untilAborted,
      maxSessions: Number.POSITIVE_INFINITY,
      maxCallDurationMs: Number.POSITIVE_INFINITY,
      cliArgs: {},
      handlesSignals: () => false,
      ...options,
    },
    log,
  );
  const owner = { name: "fake", logger: log };
  return { engine, log, create: (body, more) => engine.create(owner, { body, ...more }) };
}

/** A port that records how it is used. It closes at once, or never. */
export function createFakePort({ hangs = false }: { readonly hangs?: boolean } = {}): {
  port: MediaPort;
  calls: string[];
  deadlines: AbortSignal[];
} {
  const calls: string[] = [];
  const deadlines: AbortSignal[] = [];
  const port: MediaPort = {
    sampleRates: [16_000],
    frameMs: 20,
    send: () => calls.push("send"),
    close(reason: CloseReason, deadline) {
      calls.push(`close: ${reason}`);
      deadlines.push(deadline);
      return hangs ? new Promise<void>(() => undefined) : undefined;
    },
  };
  return { port, calls, deadlines };
}

/** For bots that never connect. */
export const neverConnected = (): Promise<MediaPort> => Promise.reject(new Error("the bot did not ask for it"));

/** What `createTransport` does, without types of a transport. */
export function connect(args: RunnerArguments, params = {}): Promise<Transport> {
  return (args as unknown as { [connectKey]: (given: object) => Promise<Transport> })[connectKey](params);
}

export function createRecordedLog(): RecordedLog {
  const lines: RecordedLog["lines"] = [];
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
    lines.filter((line) => level === undefined || line.level === level).map(({ message }) => message);
  return { ...create({}), lines, messages };
}
