import { ChildProcess, fork } from "node:child_process";
import type { IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type RunnerContext, RunnerError, withTimeout } from "@pipecat-ts/runner-core";
import { countersOf, type MetricValues } from "@pipecat-ts/runner-host";
import type { FromWorker, OpenMessage, ReadyMessage, ToWorker } from "./messages.ts";
import type { SessionReport } from "./session-table.ts";

/** A worker that was heard from this recently is not asked whether it answers, in ms. */
const heardMs = 1_000;
/** How long a worker may take to answer a ping, in ms. */
const pingMs = 500;
/** How long a worker may take to report its metrics, in ms. A blocked one is reported with its last ones. */
const metricsMs = 500;
/** How long a worker's stderr may stay open after its end, in ms. */
const lingerMs = 1_000;
/** Characters of a worker's stderr that are searched for the cause of its end. */
const tailLength = 4_096;

/** The program of the workers. */
export interface WorkerProgram {
  /** The module that calls `serveWorker`. */
  readonly entry: string;
  readonly args: readonly string[];
  /** Default: the environment of this process. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** The heap limit of V8, in MB. */
  readonly memoryMb?: number | undefined;
}

/** How a worker ended. */
export interface WorkerExit {
  /** `stopped`: the gateway told it to. `memory`: it reached its heap limit. */
  readonly cause: "stopped" | "code" | "signal" | "memory";
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** An upgrade request and its connection. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly connection: Duplex;
  /** Bytes that arrived behind the request. */
  readonly head: Buffer;
}

/** A runner in a child process, for the gateway. */
export interface WorkerProcess {
  /** Its number, which its sessions' ids contain. */
  readonly number: number;
  readonly pid: number | undefined;
  /** The Unix socket that it listens on. */
  readonly path: string;
  /** Resolves when it takes callers. Rejects with the error of its bot, or WORKER_FAILED when it exits before. */
  readonly ready: Promise<ReadyMessage>;
  /** Resolves, and never rejects, when the process has ended and everything that it started is killed. */
  readonly exited: Promise<WorkerExit>;
  /** Whether it did not answer the last ping yet, or its channel is closed. */
  readonly isSilent: boolean;
  /** Whether its event loop runs: pings it unless it was heard from in the last second. */
  isResponsive(): Promise<boolean>;
  /** Opens a connection to its Unix socket. */
  connect(): Socket;
  /** Takes an upgrade in this process. Where it is missing, the socket is handed over. */
  upgrade?(upgrade: Upgrade): void;
  /** Hands it a caller's socket with the bytes of the request. `onClosed` is called once, when the socket is closed. */
  handOver(socket: Socket, head: Buffer, onClosed?: () => void): void;
  /** Its metrics; its last ones if it does not answer in time. */
  metrics(): Promise<MetricValues>;
  /** Its counters when it last reported its metrics. */
  readonly lastCounters: MetricValues;
  evict(sessionId: string): void;
  /** Lets a plugin of this worker clean up after the crash of another one. */
  cleanUp(crash: { readonly plugin: string; readonly record: object }): void;
  /** Lets live calls end, or ends them. Then it exits. */
  stop(how: "drain" | "close"): void;
  /** Kills it and what it started. */
  kill(): void;
}

export interface WorkerEvents {
  onReport(message: SessionReport): void;
  /** Takes a permit for it; see `RunnerContext.takePermit`. */
  takePermit: RunnerContext["takePermit"];
  /** It answers again after it was silent. */
  onHeard(): void;
  /** It did not answer a ping in time. */
  onSilent(): void;
}

/** Starts a worker. */
export type StartWorker = (open: OpenMessage, events: WorkerEvents) => WorkerProcess;

/** Returns a function that starts workers of this program. Throws OPTION_INVALID with a heap limit under Bun. */
export function createWorkerStarter({ entry, args, env = process.env, memoryMb }: WorkerProgram): StartWorker {
  if (memoryMb !== undefined && process.versions.bun !== undefined) {
    throw new RunnerError("OPTION_INVALID", "--worker-memory limits the heap of V8, which Bun does not use.", {
      fix: "Omit --worker-memory, or use Node or Deno.",
    });
  }
  const heapLimit = memoryMb === undefined ? [] : [`--max-old-space-size=${memoryMb}`];
  return (open, events) => {
    const child = forkOrFail(entry, args, {
      env,
      execArgv: [...process.execArgv, ...heapLimit],
      // stderr passes through the gateway, because V8 reports there that it reached the heap limit.
      stdio: ["ignore", "inherit", "pipe", "ipc"],
      // A group of its own: signals to the gateway's group, such as Ctrl-C, must not reach the calls.
      detached: true,
    });
    return superviseWorker(child, open, events);
  };
}

/** Node emits only some errors of a fork, and throws others, such as a lack of memory. */
function forkOrFail(...options: Parameters<typeof fork>): ChildProcess {
  try {
    return fork(...options);
  } catch (error) {
    // Without a process, Node would send signals to the group of this one.
    const failing = Object.assign(new ChildProcess(), { kill: () => false });
    setImmediate(() => failing.emit("error", error) && failing.emit("close", null, null));
    return failing;
  }
}

export function superviseWorker(child: ChildProcess, open: OpenMessage, events: WorkerEvents): WorkerProcess {
  const { owner, path } = open;
  const ready = Promise.withResolvers<ReadyMessage>();
  const closings = new Map<number, () => void>();
  /** Sockets that wait until the worker has taken those before them. */
  const leaving = new Set<Socket>();
  let nextSocket = 1;
  let heardAtMs = performance.now();
  let pinging: Promise<boolean> | undefined;
  let pong: (() => void) | undefined;
  let isSilent = false;
  let measured: ((values: MetricValues) => void) | undefined;
  let measuring: Promise<MetricValues> | undefined;
  let lastMetrics: MetricValues = [];
  let told = false;
  let unreachable: NodeJS.Timeout | undefined;
  let stderrTail = "";

  // The pool reports the exit of a worker that nobody waits for any more.
  ready.promise.catch(() => undefined);
  const exited = supervise();
  send(open);

  function send(message: ToWorker): void {
    // A worker that has just ended cannot be told anything: its exit is handled elsewhere.
    if (child.connected) child.send(message, () => undefined);
  }

  async function supervise(): Promise<WorkerExit> {
    child.on("message", receive);
    child.once("disconnect", () => {
      // Either it is about to end, or its bot has closed the channel: then nobody can reach its calls, or stop it.
      isSilent = true;
      if (!told) unreachable = setTimeout(() => child.kill("SIGKILL"), lingerMs);
    });
    child.on("error", (cause) => ready.reject(failed(`Its process could not be started: ${cause.message}.`, cause)));
    child.stderr?.on("data", (chunk: Buffer) => {
      stderrTail = (stderrTail + chunk.toString()).slice(-tailLength);
      process.stderr.write(chunk);
    });
    const closed = new Promise<void>((resolve) => void child.once("close", resolve));
    // `close` alone when it could not be started.
    await Promise.race([closed, new Promise<void>((resolve) => void child.once("exit", resolve))]);
    clearTimeout(unreachable);
    killGroup();
    // Until its stderr is read.
    await withTimeout(closed, lingerMs);
    const { exitCode: code, signalCode: signal } = child;
    for (const socket of leaving) socket.destroy();
    for (const closed of closings.values()) closed();
    closings.clear();
    measured?.(lastMetrics);
    const cause = causeOf(code, signal);
    const fix = cause === "memory" ? "Give workers more memory with --worker-memory." : undefined;
    ready.reject(failed(`Its process ended before it was ready (${signal ?? `code ${code}`}).`, undefined, fix));
    return { cause, code, signal };
  }

  function causeOf(code: number | null, signal: NodeJS.Signals | null): WorkerExit["cause"] {
    if (told && code === 0) return "stopped";
    if (/heap out of memory/.test(stderrTail)) return "memory";
    return signal === null ? "code" : "signal";
  }

  function receive(message: FromWorker): void {
    heardAtMs = performance.now();
    switch (message.kind) {
      case "ready":
        ready.resolve(message);
        break;
      case "failed": {
        const { code, message: text, fix } = message;
        ready.reject(new RunnerError(code, text, fix === undefined ? {} : { fix }));
        break;
      }
      case "session":
      case "alias":
      case "remembered":
        events.onReport(message);
        break;
      case "take-permit": {
        const { id, key, perMinute } = message;
        void events.takePermit(key, perMinute).then((granted) => send({ kind: "permit", id, granted }));
        break;
      }
      case "socket-closed":
        closings.get(message.id)?.();
        closings.delete(message.id);
        break;
      case "metrics":
        lastMetrics = message.values;
        measured?.(lastMetrics);
        break;
      case "pong":
        pong?.();
    }
  }

  async function ping(): Promise<boolean> {
    const answered = new Promise<void>((resolve) => {
      pong = resolve;
    });
    send({ kind: "ping" });
    if (await withTimeout(answered, pingMs)) return true;
    isSilent = true;
    events.onSilent();
    void answered.then(() => {
      isSilent = false;
      events.onHeard();
    });
    return false;
  }

  async function measure(): Promise<MetricValues> {
    const answered = new Promise<MetricValues>((resolve) => {
      measured = resolve;
    });
    send({ kind: "metrics" });
    await withTimeout(answered, metricsMs);
    measuring = undefined;
    return lastMetrics;
  }

  /** Also kills processes that the worker started, such as browsers. */
  function killGroup(): void {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // The group has no process any more.
    }
  }

  return {
    number: owner.worker,
    pid: child.pid,
    path,
    connect: () => connect({ path, allowHalfOpen: true }),
    ready: ready.promise,
    exited,
    get isSilent() {
      return isSilent;
    },
    async isResponsive() {
      if (isSilent) return false;
      if (performance.now() - heardAtMs < heardMs) return true;
      pinging ??= ping().finally(() => {
        pinging = undefined;
      });
      return await pinging;
    },
    handOver(socket, head, onClosed) {
      const id = onClosed && nextSocket++;
      if (id !== undefined && onClosed) closings.set(id, onClosed);
      const message: ToWorker = { kind: "socket", head: head.toString("base64"), id };
      leaving.add(socket);
      child.send(message, socket, {}, () => {
        leaving.delete(socket);
        // The worker has the connection, or has ended. This releases what belongs to the socket here.
        socket.destroy();
      });
    },
    metrics() {
      measuring ??= measure();
      return measuring;
    },
    get lastCounters() {
      return countersOf(lastMetrics);
    },
    cleanUp: (crash) => send({ kind: "crashed", ...crash }),
    evict: (id) => send({ kind: "evict", id }),
    stop(how) {
      told = true;
      send({ kind: how });
    },
    kill() {
      child.kill("SIGKILL");
      killGroup();
    },
  };
}

function failed(message: string, cause?: unknown, fix = "Look for its error above."): RunnerError {
  return new RunnerError("WORKER_FAILED", `A worker failed. ${message}`, { fix, cause });
}
