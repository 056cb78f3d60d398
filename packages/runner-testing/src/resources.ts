import { createHook } from "node:async_hooks";
import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** The resources that a process holds, by kind. Compare two counts with `resourceGrowth`. */
export interface Resources {
  /** What keeps the event loop alive, by Node's name: `TCPSocketWrap`, `Timeout`, … Excludes timers after `unref()`. */
  readonly handles: Readonly<Record<string, number>>;
  /** Listeners on `process`, by event. */
  readonly processListeners: Readonly<Record<string, number>>;
  /** Open file descriptors. Linux only. */
  readonly fileDescriptors?: number;
  /** Bytes of live objects after a garbage collection. Only when Node runs with `--expose-gc`. */
  readonly heapBytes?: number;
}

/** Counts what the process holds now. */
export function countResources(): Resources {
  const fileDescriptors = countFileDescriptors();
  const collect: (() => void) | undefined = globalThis.gc;
  collect?.();
  return {
    handles: tally(process.getActiveResourcesInfo()),
    processListeners: Object.fromEntries(
      process.eventNames().map((event) => [String(event), process.listenerCount(event)]),
    ),
    ...(fileDescriptors === undefined ? {} : { fileDescriptors }),
    ...(collect === undefined ? {} : { heapBytes: process.memoryUsage().heapUsed }),
  };
}

/**
 * What `after` holds more of than `before`, as lines for a failure message: `TCPSocketWrap: 1 → 3`. Empty when nothing grew.
 * Ignores the heap, whose size varies: compare `heapBytes` yourself, with a margin.
 */
export function resourceGrowth(before: Resources, after: Resources): string[] {
  const counts = (resources: Resources): Readonly<Record<string, number>> => ({
    ...resources.handles,
    ...Object.fromEntries(
      Object.entries(resources.processListeners).map(([event, count]) => [`process.on(${event})`, count]),
    ),
    ...(resources.fileDescriptors === undefined ? {} : { "file descriptors": resources.fileDescriptors }),
  });
  const earlier = counts(before);
  return Object.entries(counts(after))
    .filter(([kind, count]) => count > (earlier[kind] ?? 0))
    .map(([kind, count]) => `${kind}: ${earlier[kind] ?? 0} → ${count}`);
}

/** Waits until the process holds no more than `before`. Returns the growth that is left after `timeoutMs`; empty when none is. */
export async function settleResources(before: Resources, timeoutMs = 2_000): Promise<string[]> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const growth = resourceGrowth(before, countResources());
    if (growth.length === 0 || performance.now() > deadline) return growth;
    await sleep(20);
  }
}

/** Counts what the process holds, once no count fell for 50 ms. */
export async function countSettledResources(): Promise<Resources> {
  for (let before = countResources(); ; ) {
    await sleep(50);
    const now = countResources();
    if (resourceGrowth(now, before).length === 0) return now;
    before = now;
  }
}

/** The timers that were started since `watchTimers`, including those after `unref()`, which Node's own counts exclude. */
export interface TimerWatch {
  /** Those that can still fire: where each was started, as `setInterval at connect (/…/port.ts:12:3)`. */
  running(): Promise<string[]>;
  stop(): void;
}

/**
 * Watches every interval of the process, and every timer of more than 1 s, until it is cleared or has fired. Shorter timers
 * end by themselves; Node's HTTP uses some.
 */
export function watchTimers(): TimerWatch {
  const alive = new Map<number, string>();
  const hook = createHook({
    init(id, type, _, timer: { readonly _idleTimeout?: number; readonly _repeat?: number | null }) {
      if (type !== "Timeout") return;
      const { _idleTimeout: delayMs = 0, _repeat: repeats = null } = timer;
      if (repeats === null && delayMs <= 1_000) return;
      const stack = new Error().stack?.split("\n").slice(1) ?? [];
      const caller = stack.findLastIndex((line) => line.includes("node:internal/timers")) + 2;
      alive.set(id, `${repeats === null ? "setTimeout" : "setInterval"} ${stack[caller]?.trim() ?? ""}`);
    },
    destroy(id) {
      alive.delete(id);
    },
  }).enable();
  return {
    async running() {
      // Node reports destroyed timers in an immediate of its own.
      for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
      return [...alive.values()];
    },
    stop() {
      hook.disable();
      alive.clear();
    },
  };
}

function tally(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function countFileDescriptors(): number | undefined {
  if (process.platform !== "linux") return undefined;
  return readdirSync("/proc/self/fd").length - 1; // without the one that reads the directory
}
