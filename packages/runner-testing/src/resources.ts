import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** What the process holds, by kind. Compare two of them with `resourceGrowth`. */
export interface Resources {
  /** What keeps the event loop alive, by Node's name for it: `TCPSocketWrap`, `Timeout`, … Timers that are unref'ed are not in it. */
  readonly handles: Readonly<Record<string, number>>;
  /** Listeners on `process`, by event. */
  readonly processListeners: Readonly<Record<string, number>>;
  /** Open file descriptors; Linux only. */
  readonly fileDescriptors?: number;
  /** Bytes of live objects after a collection; only where Node runs with `--expose-gc`. */
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
 * What `after` holds more than `before`, as lines for a failure message: `TCPSocketWrap: 1 → 3`. Empty when nothing. The heap
 * never is the same twice and is left out: compare `heapBytes` with a margin of your own.
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

/** Waits until the process holds no more than `before`, and returns what it still does after `timeoutMs`: empty when all is well. */
export async function settleResources(before: Resources, timeoutMs = 2_000): Promise<string[]> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const growth = resourceGrowth(before, countResources());
    if (growth.length === 0 || performance.now() > deadline) return growth;
    await sleep(20);
  }
}

/** Counts what the process holds once it has let go of what it was about to: when nothing fell in 50 ms. */
export async function countSettledResources(): Promise<Resources> {
  for (let before = countResources(); ; ) {
    await sleep(50);
    const now = countResources();
    if (resourceGrowth(now, before).length === 0) return now;
    before = now;
  }
}

function tally(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function countFileDescriptors(): number | undefined {
  if (process.platform !== "linux") return undefined;
  return readdirSync("/proc/self/fd").length - 1; // not the one that reads the folder
}
