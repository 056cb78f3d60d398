import { existsSync, renameSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { type CloseReason, RunnerError } from "@pipecat-ts/runner-core";
import {
  createFront,
  type HttpServer,
  type RunnerLogger,
  type RunnerOptions,
  reportEnded,
} from "@pipecat-ts/runner-host";
import { findOwner, forward } from "./forward.ts";
import { passUpgrade, stopReading } from "./hand-over.ts";
import type { ReadyMessage } from "./messages.ts";
import { createGatewayMetrics } from "./metrics.ts";
import type { IsolationFlags } from "./options.ts";
import { createNode } from "./owner-id.ts";
import { createPool } from "./pool.ts";
import { createWorkerStarter, type StartWorker, type WorkerProgram } from "./worker-process.ts";

export interface GatewayOptions {
  /** The options of the runner that concern the public server: addresses, access control, limits. */
  readonly runner: Omit<RunnerOptions, "bot" | "logger"> & { readonly logger: RunnerLogger };
  readonly isolation: Omit<IsolationFlags, "isolation">;
  /** The program of the workers, or how to start one. */
  readonly workers: Omit<WorkerProgram, "memoryMb"> | StartWorker;
  /** Called when a worker has exited, for whatever reason. */
  onWorkerExit?(): void;
}

/**
 * Accepts callers, and runs their bots in workers: child processes with a whole runner each. HTTP requests are forwarded; WebSockets are
 * handed over, so that their data does not pass through this process.
 */
export interface Gateway {
  /** The URL of the server for a browser on this machine. Throws before `listen()`. */
  readonly url: URL;
  /** What the first worker reported. Throws before `listen()`. */
  readonly report: Omit<ReadyMessage, "kind">;
  readonly sessions: { readonly counts: { readonly pending: number; readonly active: number } };
  /** Opens the port and starts the first workers. Rejects like `Runner.listen`, and with the error of the bot; then nothing stays open. */
  listen(): Promise<void>;
  /**
   * Runs the present code of the bot in new sessions; live calls continue with the old code. Rejects with the error of the bot, which
   * is logged; new sessions then run the old code.
   */
  reload(): Promise<void>;
  /** Rejects new sessions, waits for live ones until they end or `shutdownTimeoutMs` passes, then closes. */
  drain(): Promise<void>;
  /** Ends live sessions and closes everything. */
  close(): Promise<void>;
  /** Kills all workers, for a program that must exit now. */
  kill(): void;
}

/** Creates a gateway. Opens nothing before `listen()`. Throws OPTION_INVALID. */
export function createGateway({ runner, isolation, workers, onWorkerExit }: GatewayOptions): Gateway {
  const { logger } = runner;
  const front = createFront(runner);
  const { maxSessions, shutdownTimeoutMs } = front.settings;
  const { workerSessions, warmWorkers, workerMemory, workerCalls = Number.POSITIVE_INFINITY } = isolation;
  const enough = Number.isFinite(maxSessions)
    ? Math.ceil(maxSessions / workerSessions)
    : Math.max(4, 4 * availableParallelism());
  const { maxWorkers = enough } = isolation;
  const start = typeof workers === "function" ? workers : createWorkerStarter({ ...workers, memoryMb: workerMemory });
  const node = createNode();
  let folder: string | undefined;
  let server: HttpServer | undefined;
  let report: ReadyMessage | undefined;
  let draining: Promise<void> | undefined;
  let closing: Promise<void> | undefined;

  const pool = createPool({
    start,
    node,
    folder: () => required(folder),
    url: () => required(server).url,
    ...{ maxSessions, workerSessions, maxWorkers, warmWorkers, workerCalls, shutdownTimeoutMs, logger },
    onExit(exit, counters) {
      metrics.workerExited(exit, counters);
      onWorkerExit?.();
    },
    onSilent: () => metrics.workerSilent(),
    onSessionEnded: (transport: string, reason: CloseReason) => front.metrics.sessionEnded(transport, reason),
  });
  const metrics = createGatewayMetrics(front.metrics, pool);

  function required<T>(value: T | undefined): T {
    if (value === undefined) throw new Error("The gateway does not listen.");
    return value;
  }

  /** The report about the ended session that a path names. Its worker may have ended too. */
  function endedSession(path: string): object | undefined {
    const [, id] = /^\/sessions\/([\w-]+)$/.exec(path) ?? [];
    const ended = id === undefined ? undefined : pool.sessions.findEnded(id);
    return ended && reportEnded(ended);
  }

  /** The requests that concern all workers. */
  async function answerItself(path: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const { method } = request;
    if (method === "GET" && path === "/livez") {
      front.checkRequest(request);
      sendJson(response, { status: "ok" });
    } else if (method === "GET" && path === "/readyz") {
      front.checkRequest(request);
      if (!pool.isReady) throw notReady();
      sendJson(response, { status: "ok" });
    } else if (method === "GET" && path === "/metrics") {
      front.requireOperator(request);
      const values = await metrics.text();
      response.setHeader("Content-Type", front.metrics.contentType);
      response.end(values);
    } else if (method === "GET" && path === "/sessions") {
      front.requireOperator(request);
      sendJson(response, { sessions: pool.sessions.list() });
    } else if (method === "GET" && endedSession(path)) {
      front.requireKey(request);
      sendJson(response, endedSession(path));
    } else if (method === "POST" && path === "/reload") {
      front.requireOperator(request);
      await reload();
      sendJson(response, { status: "ok" });
    } else {
      return false;
    }
    return true;
  }

  async function request(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = incoming.url?.replace(/[?#].*/s, "") ?? "/";
    if (await answerItself(path, incoming, response)) return;
    await forward({ pool, streams: front.streams, resent: metrics.requestResent }, incoming, response);
  }

  async function upgrade(incoming: IncomingMessage, connection: Duplex, head: Buffer): Promise<void> {
    const isStopped = stopReading(connection);
    const owner = findOwner(pool, incoming);
    const place = owner ? undefined : await pool.place();
    if (connection.destroyed) return place?.release();
    const worker = owner ?? required(place).worker;
    passUpgrade(worker, { request: incoming, connection, head, isStopped }, place?.release);
  }

  async function reload(): Promise<void> {
    try {
      await pool.reload();
    } catch (err) {
      logger.error({ err }, "bot not reloaded; new sessions run the previous code");
      throw err;
    }
  }

  async function open(): Promise<void> {
    // mkdtemp creates it with mode 0700: other users of the machine cannot go round the gateway.
    folder = await mkdtemp(join(tmpdir(), "pipecat-runner-"));
    server = await front.open({ request, upgrade });
    report = await pool.open();
    requireNoListeners(report);
  }

  /** A server of a transport's own has one port, which only one worker can open. */
  function requireNoListeners({ transports }: ReadyMessage): void {
    const listening = transports.find(({ listeners }) => listeners.length > 0);
    if (!listening || maxWorkers === 1) return;
    throw new RunnerError(
      "OPTION_INVALID",
      `The transport "${listening.name}" has a server of its own (${listening.listeners.join(", ")}), which several processes cannot share.`,
      {
        fix: "Set --max-workers 1 and --worker-sessions to the number of calls, or remove the transport with --transport.",
      },
    );
  }

  async function release(): Promise<void> {
    await server?.close();
    if (folder === undefined) return;
    rmSync(folder, { recursive: true, force: true });
    folder = undefined;
  }

  function close(): Promise<void> {
    closing ??= stop("close");
    return closing;
  }

  async function stop(how: "drain" | "close"): Promise<void> {
    await pool.stop(how);
    await release();
  }

  return {
    get url() {
      return new URL(required(server).url);
    },
    get report() {
      const { transports, unauthenticatedRoutes: routes, notes } = required(report);
      // Anyone who may list and end sessions may also reload.
      const unauthenticatedRoutes = routes.includes("/sessions") ? [...routes, "POST /reload"] : routes;
      return { transports, unauthenticatedRoutes, notes };
    },
    sessions: pool.sessions,
    async listen() {
      try {
        await open();
      } catch (error) {
        await close();
        throw error;
      }
    },
    reload,
    drain() {
      draining ??= stop("drain");
      return draining;
    },
    close,
    kill() {
      pool.kill();
      if (folder === undefined) return;
      // Until the signal reaches it, a worker that starts may create its socket, which would keep the folder from being removed.
      const removed = `${folder}-removed`;
      if (existsSync(folder)) renameSync(folder, removed);
      folder = undefined;
      rmSync(removed, { recursive: true, force: true });
    },
  };
}

function notReady(): RunnerError {
  return new RunnerError("DRAINING", "No process takes new callers.", {
    fix: "Try again in a moment: another server may answer.",
  });
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.setHeader("Content-Type", "application/json; charset=utf-8");
  response.end(JSON.stringify(value));
}
