import { existsSync, renameSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { type CloseReason, isRunnerError, RunnerError, withTimeout } from "@pipecat-ts/runner-core";
import {
  createFront,
  type HttpServer,
  type RunnerLogger,
  type RunnerOptions,
  reportEnded,
} from "@pipecat-ts/runner-host";
import { nameClient } from "./attached-runner.ts";
import type { Fleet, LocalNode, NodeLoad, Peer } from "./fleet.ts";
import { findOwner, forward, isPeer } from "./forward.ts";
import { offerUpgrade, passUpgrade, pipeUpgrade } from "./hand-over.ts";
import { rejectedHeader } from "./headers.ts";
import type { ReadyMessage } from "./messages.ts";
import { createGatewayMetrics } from "./metrics.ts";
import type { IsolationFlags } from "./options.ts";
import { createNode } from "./owner-id.ts";
import { createPool } from "./pool.ts";
import { createWorkerStarter, type StartWorker, type Upgrade, type WorkerProgram } from "./worker-process.ts";

/** From the announcement that a node drains until the others have read it, in ms: they read the directory every second. */
const announcedMs = 1_500;
/** How long a node that drains waits for the callers of its pending sessions, in ms. */
const pendingMs = 10_000;
/** How long a caller waits for the node to join, in ms. */
const joinMs = 10_000;

export interface GatewayOptions {
  /** The options of the runner that concern the public server: addresses, access control, limits. */
  readonly runner: Omit<RunnerOptions, "bot" | "logger"> & { readonly logger: RunnerLogger };
  readonly isolation: Omit<IsolationFlags, "isolation">;
  /** The program of the workers, or how to start one. */
  readonly workers: Omit<WorkerProgram, "memoryMb"> | StartWorker;
  /** The other machines, if there are any. */
  readonly fleet?: Fleet | undefined;
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
  /**
   * Opens the port and starts the first workers. Rejects like `Runner.listen`, with the error of the bot, or with DRAINING when the
   * gateway is stopped meanwhile; then nothing stays open.
   */
  listen(): Promise<void>;
  /**
   * Runs the present code of the bot in new sessions; live calls continue with the old code, for at most `shutdownTimeoutMs`. Rejects
   * with the error of the bot, which is logged; workers that run then keep the old code, and new ones load the files as they are.
   * Calls run one after the other; see `WorkerPool.reload`.
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
export function createGateway({ runner, isolation, workers, fleet, onWorkerExit }: GatewayOptions): Gateway {
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
  let opening: Promise<void> | undefined;
  let draining: Promise<void> | undefined;
  let closing: Promise<void> | undefined;
  /** New callers go to other nodes. */
  let isLeaving = false;
  /** Resolves when the node knows the others, and they know it. */
  const joined = Promise.withResolvers<void>();
  let hasJoined = false;
  /** Callers' connections that pass through this process to other nodes. */
  const passing = new Set<Duplex>();

  const pool = createPool({
    start,
    node,
    folder: () => required(folder),
    url: () => required(server).url,
    ...{ maxSessions, workerSessions, maxWorkers, warmWorkers, workerCalls, shutdownTimeoutMs, logger, claims: fleet },
    onExit(exit, counters) {
      metrics.workerExited(exit, counters);
      onWorkerExit?.();
    },
    onSilent: () => metrics.workerSilent(),
    onSessionEnded: (transport: string, reason: CloseReason) => front.metrics.sessionEnded(transport, reason),
  });
  const metrics = createGatewayMetrics(front.metrics, pool, fleet);

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
    const reads = isRead(request);
    if (reads && path === "/livez") {
      front.checkRequest(request);
      sendJson(response, { status: "ok" });
    } else if (reads && path === "/readyz") {
      front.checkRequest(request);
      if (!hasJoined) throw starting();
      if (!pool.isReady || isLeaving) throw notReady();
      sendJson(response, { status: "ok" });
    } else if (reads && path === "/metrics") {
      front.requireOperator(request);
      const values = await metrics.text();
      response.setHeader("Content-Type", front.metrics.contentType);
      response.end(values);
    } else if (reads && path === "/sessions") {
      front.requireOperator(request);
      sendJson(response, { sessions: pool.sessions.list() });
    } else if (request.method === "POST" && path === "/reload") {
      front.requireOperator(request);
      await reload();
      sendJson(response, { status: "ok" });
    } else {
      // Its caller may have chosen the id again, for a session of another node.
      const isLive = endedSession(path) !== undefined && isPeer(await findOwner(pool, fleet, request));
      return !isLive && answerEnded(path, request, response);
    }
    return true;
  }

  /** Answers a request for the description of a session that has ended. */
  function answerEnded(path: string, request: IncomingMessage, response: ServerResponse): boolean {
    const report = isRead(request) ? endedSession(path) : undefined;
    if (report === undefined) return false;
    front.requireKey(request);
    sendJson(response, report);
    return true;
  }

  async function waitUntilJoined(): Promise<void> {
    if (!hasJoined && !(await withTimeout(joined.promise, joinMs))) throw starting();
  }

  async function request(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    if (await answerItself(pathOf(incoming), incoming, response)) return;
    await waitUntilJoined();
    const forwarded = () => metrics.forwarded("request");
    const options = { pool, fleet, isLeaving, forwarded, streams: front.streams, resent: metrics.requestResent };
    await forward(options, incoming, response);
  }

  async function upgrade(request: IncomingMessage, connection: Duplex, head: Buffer): Promise<void> {
    await waitUntilJoined();
    const incoming = { request, connection, head };
    const owner = await findOwner(pool, fleet, request);
    if (isPeer(owner)) return pipeUpgrade(await connectPassing(owner, connection), incoming);
    if (!owner && isLeaving && (await offerUpgradeToAll(incoming))) return;
    try {
      await upgradeHere(incoming);
    } catch (error) {
      if (isLeaving || !isFull(error) || !(await offerUpgradeToAll(incoming))) throw error;
    }
  }

  async function upgradeHere(incoming: Upgrade): Promise<void> {
    const owner = await findOwner(pool, undefined, incoming.request);
    if (owner && !isPeer(owner)) return passUpgrade(owner, incoming);
    const place = await pool.place();
    if (incoming.connection.destroyed) return place.release();
    passUpgrade(place.worker, incoming, place.release);
  }

  /** Connects to the other node for this connection of a caller. */
  async function connectPassing(peer: Peer, connection: Duplex): Promise<Duplex> {
    const upstream = await peer.connect();
    metrics.forwarded("socket");
    if (connection.destroyed) return upstream;
    passing.add(connection);
    connection.once("close", () => passing.delete(connection));
    return upstream;
  }

  /** Sends an upgrade to another node. Resolves to false when none takes it. */
  async function offerUpgradeToAll(incoming: Upgrade): Promise<boolean> {
    for (const peer of fleet?.candidates() ?? []) {
      if (incoming.connection.destroyed) return false;
      const upstream = await connectPassing(peer, incoming.connection).catch(() => undefined);
      // A node that ends before it answers has not taken the caller.
      if (upstream && (await offerUpgrade(upstream, incoming).catch(() => false))) return true;
    }
    return false;
  }

  /** How this node answers the others. */
  const own: LocalNode = {
    id: node,
    get load(): NodeLoad {
      const limit = Math.min(maxSessions, maxWorkers * workerSessions);
      const places = Number.isFinite(limit) ? limit : null;
      return { state: isLeaving ? "draining" : "ready", ...pool.sessions.counts, places };
    },
    ...front.answer(
      {
        async request(incoming, response) {
          nameClient(incoming);
          if (answerEnded(pathOf(incoming), incoming, response)) return;
          const { streams } = front;
          await forward({ pool, tellsRejection: true, streams, resent: metrics.requestResent }, incoming, response);
        },
        async upgrade(request, connection, head) {
          nameClient(request);
          await upgradeHere({ request, connection, head });
        },
      },
      (error) => (isFull(error) ? { [rejectedHeader]: "1" } : {}),
    ),
  };

  async function reload(): Promise<void> {
    try {
      await pool.reload();
    } catch (err) {
      logger.error({ err }, "bot not reloaded; running workers keep the previous code");
      throw err;
    }
  }

  async function open(): Promise<void> {
    // mkdtemp creates it with mode 0700: other users of the machine cannot go round the gateway.
    folder = await mkdtemp(join(tmpdir(), "pipecat-runner-"));
    server = await front.open({ request, upgrade });
    report = await pool.open();
    requireNoListeners(report);
    await fleet?.join(own);
    hasJoined = true;
    joined.resolve();
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
    for (const connection of passing) connection.destroy();
    joined.resolve();
    await Promise.all([server?.close(), fleet?.leave()]);
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
    await opening?.catch(() => undefined); // The caller of listen() gets the error.
    await release();
  }

  async function drainAndStop(): Promise<void> {
    const endMs = performance.now() + shutdownTimeoutMs;
    if (fleet) await sendCallersElsewhere(fleet);
    if (!closing) await pool.stop("drain");
    await waitWhile(() => passing.size > 0, endMs);
    await close();
  }

  /** Lets the others take new callers. Callers whose session waits for them here still come, for a while. */
  async function sendCallersElsewhere({ announce }: Fleet): Promise<void> {
    isLeaving = true;
    const [earliestMs, latestMs] = [announcedMs, pendingMs].map((ms) => performance.now() + ms) as [number, number];
    await announce();
    await waitWhile(() => performance.now() < earliestMs || pool.sessions.counts.pending > 0, latestMs);
  }

  async function waitWhile(condition: () => boolean, endMs: number): Promise<void> {
    while (!closing && performance.now() < endMs && condition()) await setTimeout(50);
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
        opening = open();
        await opening;
      } catch (error) {
        await close();
        throw error;
      }
    },
    reload,
    drain() {
      draining ??= drainAndStop();
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

/** Whether an error means that another node may take the caller. */
function isFull(error: unknown): boolean {
  return isRunnerError(error) && ["AT_CAPACITY", "DRAINING", "WORKER_FAILED"].includes(error.code);
}

/** Node leaves out the body of a response to HEAD. */
function isRead({ method }: IncomingMessage): boolean {
  return method === "GET" || method === "HEAD";
}

function pathOf({ url = "/" }: IncomingMessage): string {
  return url.replace(/[?#].*/s, "");
}

function starting(): RunnerError {
  return new RunnerError("STARTING", "The processes that run bots have not started yet.", { fix: "Try again." });
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
