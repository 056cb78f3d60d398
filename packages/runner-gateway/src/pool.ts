import { rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { type CloseReason, type Logger, RunnerError, withTimeout } from "@pipecat-ts/runner-core";
import { createPermits, type MetricValues } from "@pipecat-ts/runner-host";
import type { KeyClaims } from "./fleet.ts";
import { createMembers, type Member, type Place } from "./members.ts";
import type { ReadyMessage } from "./messages.ts";
import { createSessionTable, type SessionTable } from "./session-table.ts";
import type { StartWorker, WorkerExit, WorkerProcess } from "./worker-process.ts";

/** How long a caller waits for a worker to start, in ms. */
const placeMs = 10_000;
/** A pending session this old, in ms, may lose its place to a new caller. Callers connect within a few seconds. */
const evictableMs = 10_000;
/** How long a surplus worker stays idle before it is stopped, in ms. */
const surplusMs = 30_000;
/** How long a worker may take to start until the log says so, in ms. On a busy machine, it takes up to 4 s. */
const slowStartMs = 8_000;
/** The time until the next start after a worker that failed to start, and its bound, in ms. It doubles each time. */
const backOffMs = 250;
const maxBackOffMs = 10_000;
/** Workers that failed to start, one after the other, before callers no longer wait for one. */
const maxFailures = 3;
/** From the end of the drain or the close of a worker until it is killed, in ms. */
const stopMs = 8_000;

export interface PoolOptions {
  readonly start: StartWorker;
  /** The node number of the gateway. */
  readonly node: string;
  /** The folder of the workers' Unix sockets. */
  folder(): string;
  /** Where callers reach the gateway. Read when a worker starts. */
  url(): URL;
  /** Sessions at once in all workers together; `Infinity` without a limit. */
  readonly maxSessions: number;
  /** Sessions at once in one worker. */
  readonly workerSessions: number;
  /** Workers that take callers. Those that are being replaced count by the places that their calls take. */
  readonly maxWorkers: number;
  /** Workers that are ready and have no session. */
  readonly warmWorkers: number;
  /** Sessions after which a worker is replaced; `Infinity` without a limit. */
  readonly workerCalls: number;
  readonly shutdownTimeoutMs: number;
  readonly claims?: KeyClaims | undefined;
  readonly logger: Logger;
  onExit(exit: WorkerExit, lastCounters: MetricValues): void;
  onSilent(): void;
  onSessionEnded(transport: string, reason: CloseReason): void;
}

/** The workers of a gateway. */
export interface WorkerPool {
  readonly sessions: SessionTable;
  /** Workers by state, for metrics. `idle`: ready, and without a session. */
  readonly counts: Readonly<Record<"starting" | "idle" | "busy" | "retiring", number>>;
  /** Whether a worker takes new callers. */
  readonly isReady: boolean;
  /** Starts the first worker. Rejects with the error of its bot, or DRAINING after `stop`. */
  open(): Promise<ReadyMessage>;
  /** The worker with this number, unless it has ended. */
  get(worker: number): WorkerProcess | undefined;
  /** Every worker that runs. */
  all(): readonly WorkerProcess[];
  /**
   * A worker for a request that may begin a session: one with a free place, if any. Such a request may then still be rejected, because
   * the worker decides. Rejects like `place`.
   */
  pick(): Promise<Place>;
  /** A free place, in a new worker if necessary. Rejects with AT_CAPACITY (429), DRAINING (503), or WORKER_FAILED (503) when workers cannot start. */
  place(): Promise<Place>;
  /**
   * Replaces all workers: when a new one is ready, new sessions go there, and the old ones end with their last session, or after
   * `shutdownTimeoutMs`. Rejects with the error of the bot; the old workers then stay. Calls run one after the other. One whose
   * new worker is not ready after 8 s ends with WORKER_FAILED as soon as there is a later one.
   */
  reload(): Promise<void>;
  /** Stops all workers, after their live calls or with them. Resolves when their processes have ended. */
  stop(how: "drain" | "close"): Promise<void>;
  /** Kills all workers now. */
  kill(): void;
}

export function createPool(options: PoolOptions): WorkerPool {
  const { node, maxSessions, workerSessions, maxWorkers, warmWorkers, workerCalls, logger } = options;
  const sessions = createSessionTable(node, options.claims);
  const takePermit = createPermits();
  const members = createMembers(sessions, workerSessions, settle);
  const { load, taken, inState } = members;
  const maxStarting = Math.max(1, availableParallelism());
  /** Callers that wait for a place. */
  const waiting = new Set<() => void>();
  let nextNumber = 1;
  let generation = 1;
  /** Until the first worker is ready, no reload kills it: `open` waits for it. */
  let isOpen = false;
  let reloading = Promise.resolve();
  /** Reloads that wait for an earlier one. */
  let nextReloads = 0;
  let failures = 0;
  let startAtMs = 0;
  let backOff: NodeJS.Timeout | undefined;
  let surplus: NodeJS.Timeout | undefined;
  let stopping = false;

  function start(ofGeneration: number, onFailed: (err: unknown) => void): Member {
    while (members.get(nextNumber)) nextNumber = (nextNumber + 1) % 65_536;
    const number = nextNumber;
    nextNumber = (nextNumber + 1) % 65_536;
    const worker = options.start(
      {
        kind: "open",
        gateway: process.pid,
        owner: { node, worker: number },
        path: join(options.folder(), `${number}.sock`),
        url: options.url().href,
        maxSessions: workerSessions,
      },
      {
        onReport(message) {
          if (message.kind === "session" && message.state === "ended" && message.reason !== undefined) {
            options.onSessionEnded(message.transport, message.reason);
          }
          if (sessions.apply(number, message)) begun(member);
          settle();
        },
        takePermit,
        onHeard: settle,
        onSilent() {
          logger.warn({ worker: number, pid: worker.pid }, "worker does not answer; it gets no new calls");
          options.onSilent();
          settle();
        },
      },
    );
    const startedMs = performance.now();
    const member: Member = {
      process: worker,
      state: "starting",
      generation: ofGeneration,
      holds: new Map(),
      sessionsBegun: 0,
      idleSinceMs: startedMs,
    };
    members.add(member);
    member.timer = setTimeout(() => {
      const fix = "Look for code of the bot, its imports or a transport that waits or blocks while it is loaded.";
      logger.warn({ worker: number, pid: worker.pid, durationMs: slowStartMs, fix }, "worker does not become ready");
      member.isSlow = true;
      discardSlow();
    }, slowStartMs);
    worker.ready.then(
      () => {
        if (member.state === "discarded") return;
        clearTimeout(member.timer);
        delete member.timer;
        failures = 0;
        startAtMs = 0;
        member.idleSinceMs = performance.now();
        logger.debug({ worker: number, durationMs: Math.round(member.idleSinceMs - startedMs) }, "worker ready");
        if (member.state === "starting") member.state = "ready";
        if (member.generation < generation) replace(member);
        settle();
      },
      (err: unknown) => {
        if (!stopping && member.state !== "discarded") onFailed(err);
      },
    );
    void worker.exited.then((exit) => ended(member, exit));
    return member;
  }

  /** A session of this worker began: it takes over the hold of the request that has most likely begun it. */
  function begun(member: Member): void {
    member.sessionsBegun += 1;
    const holds = [...member.holds];
    const [request] = holds.find(([, isPlace]) => isPlace) ?? holds[0] ?? [];
    if (request) member.holds.delete(request);
    if (member.sessionsBegun >= workerCalls && member.state === "ready") member.state = "retiring";
  }

  function ended(member: Member, exited: WorkerExit): void {
    const { process: worker, state } = member;
    const exit: WorkerExit = state === "discarded" ? { ...exited, cause: "stopped" } : exited;
    clearTimeout(member.timer);
    members.remove(member);
    const lost = sessions.remove(worker.number);
    // One that crashed leaves it, and the folder is removed only when it is empty.
    rmSync(worker.path, { force: true });
    if (exit.cause !== "stopped" && state !== "starting") {
      const { cause, code, signal } = exit;
      const fields = { worker: worker.number, pid: worker.pid, cause, code, signal, sessions: lost.length };
      logger.error(fields, "worker ended unexpectedly");
    }
    for (const { id, transport, createdMs, crash } of lost) {
      const durationMs = Math.round(performance.now() - createdMs);
      logger.info({ session: id, transport, reason: "crashed", durationMs }, "session ended");
      options.onSessionEnded(transport, "crashed");
      if (crash) void cleanUp(id, crash);
    }
    options.onExit(exit, worker.lastCounters);
    if (state === "starting" && exit.cause !== "stopped" && !stopping) delayStart();
    settle();
  }

  /** Another worker hangs up what the vendor of a crashed session still holds. */
  async function cleanUp(session: string, crash: Parameters<WorkerProcess["cleanUp"]>[0]): Promise<void> {
    try {
      const { worker, release } = await pick();
      worker.cleanUp(crash);
      release();
    } catch (err) {
      logger.error({ err, session }, "no worker can clean up after a crash");
    }
  }

  /** After a worker that failed to start. */
  function delayStart(): void {
    failures += 1;
    const delayMs = Math.min(maxBackOffMs, backOffMs * 2 ** (failures - 1));
    startAtMs = performance.now() + delayMs;
    if (failures === maxFailures)
      logger.error({ failures }, "workers do not start; callers are rejected until one does");
  }

  /**
   * It runs old code: it ends with its last session, but not later than after the time limit of a shutdown. While it loads, it ends at
   * once.
   */
  function replace(member: Member): void {
    if (member.state === "starting" && isOpen) discard(member);
    if (member.state === "ready") member.state = "retiring";
    if (member.state === "retiring") member.timer ??= setTimeout(() => close(member), options.shutdownTimeoutMs);
  }

  /** Kills the slow worker of a reload that others wait for. */
  function discardSlow(): void {
    if (nextReloads === 0) return;
    for (const member of inState("starting")) if (member.isSlow && member.generation > generation) discard(member);
  }

  /** Kills a worker that is not ready, and may never be. */
  function discard(member: Member): void {
    member.state = "discarded";
    clearTimeout(member.timer);
    member.process.kill();
  }

  function close(member: Member): void {
    member.state = "closing";
    clearTimeout(member.timer);
    member.process.stop("close");
    member.timer = setTimeout(() => member.process.kill(), stopMs);
  }

  /** Acts on any change: lets callers continue that wait, and starts and stops workers. */
  function settle(): void {
    for (const member of inState("ready", "retiring")) {
      const isIdle = load(member) === 0;
      if (!isIdle) member.idleSinceMs = Number.POSITIVE_INFINITY;
      else if (member.idleSinceMs === Number.POSITIVE_INFINITY) member.idleSinceMs = performance.now();
    }
    for (const next of [...waiting]) next();
    if (stopping) return;
    for (const member of inState("retiring")) if (load(member) === 0) close(member);
    startMissing();
    stopSurplus();
  }

  function startMissing(): void {
    clearTimeout(backOff);
    const empty = inState("ready").filter((member) => taken(member) === 0 && !member.process.isSilent).length;
    const needed = Math.ceil(waiting.size / workerSessions) + Math.max(0, warmWorkers - empty);
    const starting = inState("starting").length;
    const count = Math.min(needed - starting, maxStarting - starting, room() - starting);
    if (count <= 0) return;
    const delayMs = startAtMs - performance.now();
    if (delayMs > 0) backOff = setTimeout(settle, delayMs);
    else
      for (let index = 0; index < count; index++)
        start(generation, (err) => logger.error({ err }, "worker failed to start"));
  }

  function stopSurplus(): void {
    clearTimeout(surplus);
    const idle = inState("ready").filter((member) => load(member) === 0);
    idle.sort((one, two) => one.idleSinceMs - two.idleSinceMs);
    const excess = idle.slice(0, Math.max(0, idle.length - warmWorkers));
    const dueMs = performance.now() - surplusMs;
    for (const member of excess) if (member.idleSinceMs <= dueMs) close(member);
    const next = excess.find(({ state }) => state === "ready");
    if (next) surplus = setTimeout(settle, next.idleSinceMs - dueMs);
  }

  /** Ends the oldest session that has waited long for its caller, so that its place becomes free. */
  function evict(): boolean {
    const oldest = sessions.oldestPending(evictableMs);
    const owner = oldest && members.get(oldest.worker);
    if (!oldest || !owner) return false;
    owner.process.evict(oldest.id);
    return true;
  }

  /** How many workers may start or be starting. Those that are retiring take as much of the room as their calls would. */
  function room(): number {
    const retiring = inState("retiring").reduce((sum, member) => sum + load(member), 0);
    return maxWorkers - inState("ready").length - Math.floor(retiring / workerSessions);
  }

  function hasRoom(): boolean {
    return waiting.size < room() * workerSessions && members.total(load) + waiting.size < maxSessions;
  }

  /** Requests in progress keep a place only while another worker may start: most begin no session, and the worker decides. */
  function findFree(): Member | undefined {
    const free = members.total(load) < maxSessions ? members.freest(load) : undefined;
    if (free || hasRoom() || members.total(taken) >= maxSessions) return free;
    return members.freest(taken);
  }

  function requireRoom(): void {
    if (hasRoom() || evict()) return;
    throw new RunnerError("AT_CAPACITY", "All places for calls are taken.", { fix: "Try again in a moment." });
  }

  async function place(): Promise<Place> {
    const deadlineMs = performance.now() + placeMs;
    for (;;) {
      if (stopping) throw draining();
      const free = findFree();
      if (free) {
        const place = members.hold(free, true);
        if (await free.process.isResponsive()) return place;
        place.release();
        continue;
      }
      if (failures >= maxFailures && inState("ready").length === 0) {
        throw new RunnerError("WORKER_FAILED", "The processes that run the bot cannot be started.", {
          status: 503,
          fix: "Look for the error in the log of the runner.",
        });
      }
      requireRoom();
      let next: () => void = () => undefined;
      const changed = new Promise<void>((resolve) => {
        next = resolve;
      });
      waiting.add(next);
      startMissing();
      const inTime = await withTimeout(changed, Math.max(0, deadlineMs - performance.now()));
      waiting.delete(next);
      if (!inTime) throw new RunnerError("AT_CAPACITY", "No worker became free.", { fix: "Try again in a moment." });
    }
  }

  async function pick(): Promise<Place> {
    const free = members.freest(load);
    if (free) {
      const place = members.hold(free, false);
      if (await free.process.isResponsive()) return place;
      place.release();
    }
    const others = inState("ready");
    others.sort((one, two) => load(one) - load(two));
    for (const { process: worker } of others) {
      if (await worker.isResponsive()) return { worker, release: () => undefined };
    }
    return await place();
  }

  function draining(): RunnerError {
    return new RunnerError("DRAINING", "This server is shutting down.", {
      fix: "Try again in a moment: another server may answer.",
    });
  }

  /** Starts a worker. Rejects with the error of its bot, or DRAINING when the pool stops before it is ready. */
  async function startFirst(ofGeneration: number): Promise<ReadyMessage> {
    if (stopping) throw draining();
    const first = start(ofGeneration, () => undefined); // The caller gets the error.
    await first.process.ready.catch(() => undefined);
    if (stopping) throw draining();
    if (first.state === "discarded") {
      throw new RunnerError("WORKER_FAILED", "The new worker did not become ready. A later reload took its place.", {
        fix: "Nothing, unless the later one failed too.",
      });
    }
    return await first.process.ready;
  }

  async function reload(): Promise<void> {
    await startFirst(generation + 1);
    generation += 1;
    const old = members.all().filter((member) => member.generation < generation);
    const calls = old.reduce((sum, member) => sum + load(member), 0);
    for (const member of old) replace(member);
    logger.info({ calls }, "bot reloaded; live calls continue with the old code");
    settle();
  }

  return {
    sessions,
    get counts() {
      const ready = inState("ready");
      const idle = ready.filter((member) => load(member) === 0).length;
      return {
        starting: inState("starting").length,
        idle,
        busy: ready.length - idle,
        retiring: inState("retiring", "closing").length,
      };
    },
    get isReady() {
      return !stopping && inState("ready").length > 0;
    },
    async open() {
      const report = await startFirst(generation);
      isOpen = true;
      settle();
      return report;
    },
    get: (number) => members.get(number)?.process,
    all: () => members.all().map((member) => member.process),
    pick,
    place,
    reload() {
      nextReloads += 1;
      discardSlow();
      const next = reloading.then(() => {
        nextReloads -= 1;
        return reload();
      });
      reloading = next.catch(() => undefined);
      return next;
    },
    async stop(how) {
      stopping = true;
      clearTimeout(backOff);
      clearTimeout(surplus);
      for (const next of [...waiting]) next();
      for (const member of members.all()) {
        clearTimeout(member.timer);
        const limitMs = stopMs + (how === "drain" ? options.shutdownTimeoutMs : 0);
        member.timer = setTimeout(() => member.process.kill(), limitMs);
        if (member.state === "starting") member.process.kill();
        else member.process.stop(how);
      }
      await Promise.all(members.all().map((member) => member.process.exited));
    },
    kill() {
      stopping = true;
      for (const member of members.all()) member.process.kill();
    },
  };
}
