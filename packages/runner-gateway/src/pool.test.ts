import { Socket } from "node:net";
import { createRecordingLogger } from "@pipecat-ts/runner-testing";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ReadyMessage, SessionMessage } from "./messages.ts";
import { createPool, type PoolOptions } from "./pool.ts";
import type { WorkerEvents, WorkerExit, WorkerProcess } from "./worker-process.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  expect(vi.getTimerCount(), "timers left behind").toBe(0);
  vi.useRealTimers();
});

/** A worker that does what the test says. */
interface FakeWorker {
  readonly number: number;
  readonly told: string[];
  /** It takes callers, or cannot. */
  become(outcome: "ready" | Error): Promise<void>;
  session(id: string, state: SessionMessage["state"]): void;
  exit(exit?: Partial<WorkerExit>): Promise<void>;
}

function openPool(options: Partial<PoolOptions> = {}) {
  const logger = createRecordingLogger();
  const workers: FakeWorker[] = [];
  const pool = createPool({
    node: "0000000a",
    folder: () => "/workers",
    url: () => new URL("http://localhost:7860"),
    maxSessions: Number.POSITIVE_INFINITY,
    workerSessions: 1,
    maxWorkers: 10,
    warmWorkers: 1,
    workerCalls: Number.POSITIVE_INFINITY,
    shutdownTimeoutMs: 60_000,
    logger,
    onExit: () => undefined,
    onSilent: () => undefined,
    onSessionEnded: () => undefined,
    ...options,
    start(open, events) {
      const { worker, process } = createWorker(open.owner.worker, events);
      workers.push(worker);
      return process;
    },
  });
  return { pool, logger, workers, last: () => workers.at(-1) as FakeWorker };
}

function createWorker(number: number, events: WorkerEvents): { worker: FakeWorker; process: WorkerProcess } {
  const ready = Promise.withResolvers<ReadyMessage>();
  const exited = Promise.withResolvers<WorkerExit>();
  const told: string[] = [];
  const worker: FakeWorker = {
    number,
    told,
    async become(outcome) {
      if (outcome === "ready") ready.resolve({ kind: "ready", transports: [], unauthenticatedRoutes: [], notes: {} });
      else {
        ready.reject(outcome);
        exited.resolve({ cause: "code", code: 1, signal: null });
      }
      await settled();
    },
    session: (id, state) => events.onReport({ kind: "session", id, transport: "fake", state }),
    async exit(exit = {}) {
      exited.resolve({ cause: "stopped", code: 0, signal: null, ...exit });
      await settled();
    },
  };
  return {
    worker,
    process: {
      ...{ number, pid: number, path: `/workers/${number}`, isSilent: false, lastCounters: [] },
      ready: ready.promise,
      exited: exited.promise,
      isResponsive: async () => true,
      connect: () => new Socket(),
      handOver: () => undefined,
      metrics: async () => [],
      cleanUp: () => undefined,
      evict: (id) => told.push(`evict ${id}`),
      stop: (how) => told.push(how),
      kill: () => told.push("kill"),
    },
  };
}

async function settled(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

/** An open pool whose first worker is ready. */
async function openReady(options: Partial<PoolOptions> = {}) {
  const host = openPool(options);
  const opened = host.pool.open();
  await host.last().become("ready");
  await opened;
  return host;
}

async function stop({ pool, workers }: Pick<ReturnType<typeof openPool>, "pool" | "workers">): Promise<void> {
  const stopped = pool.stop("close");
  await Promise.all(workers.map((worker) => worker.exit()));
  await stopped;
}

test("a worker that does not become ready is reported once", async () => {
  const host = openPool();
  const opened = host.pool.open();
  await vi.advanceTimersByTimeAsync(60_000);
  const warnings = host.logger.lines.filter(({ level }) => level === "warn");
  expect(warnings).toEqual([
    {
      level: "warn",
      message: "worker does not become ready",
      fields: { worker: 1, pid: 1, durationMs: 8_000, fix: expect.stringContaining("while it is loaded") },
    },
  ]);
  await host.last().become("ready");
  await opened;
  await stop(host);
});

test("when the warm worker gets a session, another one starts, at most as many as --max-workers", async () => {
  const host = await openReady({ maxWorkers: 2 });
  expect(host.pool.counts).toEqual({ starting: 0, idle: 1, busy: 0, retiring: 0 });
  const place = await host.pool.place();
  host.workers[0]?.session("one", "pending");
  place.release();
  expect(host.pool.counts).toEqual({ starting: 1, idle: 0, busy: 1, retiring: 0 });
  await host.last().become("ready");
  host.last().session("two", "pending");
  expect(host.workers).toHaveLength(2);
  await expect(host.pool.place()).rejects.toMatchObject({ code: "AT_CAPACITY" });
  await stop(host);
});

test("requests in progress that begin no session start no worker", async () => {
  const host = await openReady();
  const places = [await host.pool.pick(), await host.pool.pick(), await host.pool.pick()];
  for (const { release } of places) release();
  expect(host.workers).toHaveLength(1);
  await stop(host);
});

test("a caller waits for a worker that starts, and gets 429 when it takes 10 s", async () => {
  const host = await openReady();
  host.last().session("one", "active");
  const place = host.pool.place();
  await settled();
  await host.last().become("ready");
  expect((await place).worker.number).toBe(host.last().number);
  const late = host.pool.place();
  const rejected = expect(late).rejects.toMatchObject({ code: "AT_CAPACITY" });
  await vi.advanceTimersByTimeAsync(10_000);
  await rejected;
  await stop(host);
});

test("surplus idle workers are stopped after 30 s, the longest idle first", async () => {
  const host = await openReady();
  host.workers[0]?.session("one", "active");
  await host.workers[1]?.become("ready");
  host.workers[1]?.session("two", "active");
  await host.workers[2]?.become("ready");
  await vi.advanceTimersByTimeAsync(1_000);
  host.workers[1]?.session("two", "ended");
  await vi.advanceTimersByTimeAsync(1_000);
  host.workers[0]?.session("one", "ended");
  await vi.advanceTimersByTimeAsync(27_999);
  expect(host.workers.map(({ told }) => told)).toEqual([[], [], []]);
  await vi.advanceTimersByTimeAsync(1);
  expect(host.workers.map(({ told }) => told)).toEqual([[], [], ["close"]]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(host.workers.map(({ told }) => told)).toEqual([[], ["close"], ["close"]]);
  await vi.advanceTimersByTimeAsync(8_000);
  expect(host.workers[2]?.told, "it did not exit").toEqual(["close", "kill"]);
  await stop(host);
});

test("a worker that fails to start is replaced with a growing delay, and the failure is logged", async () => {
  const host = await openReady();
  host.workers[0]?.session("one", "active");
  for (const [attempt, delayMs] of [250, 500, 1_000].entries()) {
    await host.last().become(new Error("broken"));
    expect(host.workers).toHaveLength(attempt + 2);
    await vi.advanceTimersByTimeAsync(delayMs - 1);
    expect(host.workers).toHaveLength(attempt + 2);
    await vi.advanceTimersByTimeAsync(1);
    expect(host.workers).toHaveLength(attempt + 3);
  }
  expect(host.logger.lines.filter(({ message }) => message === "worker failed to start")).toHaveLength(3);
  await host.last().become("ready");
  await stop(host);
});

test("a worker that becomes ready ends the delay of failures before it", async () => {
  const host = await openReady({ warmWorkers: 2 });
  for (let failed = 0; failed < 6; failed++) {
    await host.last().become(new Error("broken"));
    await vi.advanceTimersByTimeAsync(failed < 5 ? 250 * 2 ** failed : 0);
  }
  const reloaded = host.pool.reload();
  await settled();
  await host.last().become("ready");
  await reloaded;
  await host.last().become("ready");
  expect(host.pool.counts).toMatchObject({ starting: 0, idle: 2 });
  await stop(host);
});

test("workers that a stop ends while they start do not count as failures", async () => {
  const host = await openReady({ warmWorkers: 4 });
  await host.workers[1]?.become(new Error("broken"));
  await vi.advanceTimersByTimeAsync(250);
  await host.last().become(new Error("broken"));
  await vi.advanceTimersByTimeAsync(500);
  const stopped = host.pool.stop("close");
  for (const worker of host.workers) await worker.exit({ cause: "signal", code: null, signal: "SIGKILL" });
  await stopped;
  expect(host.logger.lines.filter(({ message }) => message.startsWith("workers do not start"))).toEqual([]);
});

test("callers do not wait when no worker can start", async () => {
  const host = await openReady();
  await host.last().exit({ cause: "signal" });
  for (const delayMs of [250, 500, 1_000]) {
    await host.last().become(new Error("broken"));
    await vi.advanceTimersByTimeAsync(delayMs);
  }
  await expect(host.pool.place()).rejects.toMatchObject({ code: "WORKER_FAILED", status: 503 });
  await host.last().become("ready");
  expect((await host.pool.place()).worker.number).toBe(host.last().number);
  await stop(host);
});

test("a worker is replaced after --worker-calls sessions, when the last one has ended", async () => {
  const host = await openReady({ workerSessions: 5, workerCalls: 2 });
  const [first] = host.workers;
  first?.session("one", "pending");
  first?.session("two", "pending");
  expect(host.pool.counts).toEqual({ starting: 1, idle: 0, busy: 0, retiring: 1 });
  first?.session("one", "ended");
  expect(first?.told).toEqual([]);
  first?.session("two", "ended");
  expect(first?.told).toEqual(["close"]);
  await host.last().become("ready");
  await stop(host);
});

test("a call that makes its worker retire is not cut after the shutdown timeout, unless a reload replaces the worker", async () => {
  const host = await openReady({ workerCalls: 1 });
  const [first] = host.workers;
  first?.session("one", "active");
  await host.last().become("ready");
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(first?.told).toEqual([]);
  const reloaded = host.pool.reload();
  await settled();
  await host.last().become("ready");
  await reloaded;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(first?.told).toEqual(["close"]);
  await stop(host);
});

test("workers that are retiring count for --max-workers by the places that their calls take", async () => {
  const alone = await openReady({ workerCalls: 1, maxWorkers: 2 });
  alone.workers[0]?.session("one", "active");
  await alone.last().become("ready");
  alone.last().session("two", "active");
  expect(alone.workers).toHaveLength(2);
  await expect(alone.pool.place()).rejects.toMatchObject({ code: "AT_CAPACITY" });
  await stop(alone);

  const shared = await openReady({ workerCalls: 2, workerSessions: 2, maxWorkers: 1 });
  shared.workers[0]?.session("one", "active");
  shared.workers[0]?.session("two", "active");
  expect(shared.workers).toHaveLength(1);
  shared.workers[0]?.session("one", "ended");
  expect(shared.workers).toHaveLength(2);
  await shared.last().become("ready");
  await stop(shared);
});

test("a session takes over the place of its own request, not the request for a page beside it", async () => {
  const host = await openReady({ workerSessions: 2, maxWorkers: 1, warmWorkers: 0 });
  const page = await host.pool.pick();
  await host.pool.place();
  host.last().session("one", "active");
  page.release();
  const other = host.pool.place();
  await expect(other).resolves.toMatchObject({ worker: { number: 1 } });
  await stop(host);
});

test("requests in progress reject no caller, unless they have asked for a place", async () => {
  const host = await openReady({ maxWorkers: 1, maxSessions: 1 });
  const page = await host.pool.pick();
  const place = await host.pool.place();
  expect(place.worker.number).toBe(1);
  await expect(host.pool.place()).rejects.toMatchObject({ code: "AT_CAPACITY" });
  host.last().session("one", "active");
  await expect(host.pool.place()).rejects.toMatchObject({ code: "AT_CAPACITY" });
  page.release();
  await stop(host);
});

test("old workers that are still busy after the shutdown timeout of a reload are closed", async () => {
  const host = await openReady();
  const [first] = host.workers;
  first?.session("one", "active");
  await host.last().become("ready");
  const reloaded = host.pool.reload();
  await settled();
  await host.last().become("ready");
  await reloaded;
  expect(host.workers.map(({ told }) => told)).toEqual([[], ["close"], []]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(first?.told).toEqual(["close"]);
  await stop(host);
});

test("a reload that fails changes nothing, and the next one works", async () => {
  const host = await openReady();
  const rejected = expect(host.pool.reload()).rejects.toThrow("broken");
  await settled();
  await host.last().become(new Error("broken"));
  await rejected;
  const working = host.pool.reload();
  await settled();
  await host.last().become("ready");
  await working;
  expect(host.workers.map(({ told }) => told)).toEqual([["close"], [], []]);
  await stop(host);
});

test.each([
  ["called after 8 s", 9_000, 0],
  ["called before", 0, 9_000],
])("a later reload takes the place of one whose worker never becomes ready: %s", async (_, beforeMs, afterMs) => {
  const exits: WorkerExit[] = [];
  const host = await openReady({ onExit: (exit) => exits.push(exit) });
  const rejected = expect(host.pool.reload()).rejects.toThrow("A later reload took its place.");
  await settled();
  const hanging = host.last();
  await vi.advanceTimersByTimeAsync(beforeMs);
  const working = host.pool.reload();
  expect(hanging.told).toEqual(beforeMs > 0 ? ["kill"] : []);
  await vi.advanceTimersByTimeAsync(afterMs);
  expect(hanging.told).toEqual(["kill"]);
  await hanging.become(new Error("killed"));
  await rejected;
  await host.last().become("ready");
  await working;
  expect(exits.map(({ cause }) => cause)).toEqual(["stopped"]);
  expect(host.logger.lines.filter(({ level }) => level === "error")).toEqual([]);
  expect(host.workers.map(({ told }) => told)).toEqual([["close"], ["kill"], []]);
  await stop(host);
});

test("a worker that reports that it is ready after it was killed replaces nothing", async () => {
  const host = await openReady();
  const rejected = expect(host.pool.reload()).rejects.toMatchObject({ code: "WORKER_FAILED" });
  await vi.advanceTimersByTimeAsync(9_000);
  const late = host.last();
  const failing = expect(host.pool.reload()).rejects.toThrow("broken");
  await late.become("ready");
  await rejected;
  await host.last().become(new Error("broken"));
  await failing;
  expect(host.workers[0]?.told).toEqual([]);
  expect(host.pool.isReady).toBe(true);
  await stop(host);
});

test("a reload while the first worker starts does not make the start fail", async () => {
  const host = openPool();
  const opened = host.pool.open();
  const first = host.last();
  const reloaded = host.pool.reload();
  await settled();
  await host.last().become("ready");
  await reloaded;
  await first.become("ready");
  await opened;
  expect(first.told).toEqual(["close"]);
  await stop(host);
});

test("a reload kills workers that still load the old code", async () => {
  const host = await openReady();
  host.last().session("one", "active");
  const loading = host.last();
  const reloaded = host.pool.reload();
  await settled();
  await host.last().become("ready");
  await reloaded;
  expect(loading.told).toEqual(["kill"]);
  await stop(host);
});

test("numbers of workers are not used twice at the same time", async () => {
  const host = await openReady({ workerCalls: 1, maxWorkers: 3 });
  host.workers[0]?.session("one", "active");
  await host.last().become("ready");
  const numbers = host.workers.map(({ number }) => number);
  expect(new Set(numbers).size).toBe(numbers.length);
  await stop(host);
});
