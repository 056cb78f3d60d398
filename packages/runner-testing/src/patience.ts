import { setTimeout as sleep } from "node:timers/promises";
import { Unmet } from "./unmet.ts";

/** Waits until `condition` holds, looking every 10 ms; throws Unmet with `what` when it does not within `timeoutMs`. */
export async function until(what: string, condition: () => boolean, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Unmet(`${what}: not within ${timeoutMs} ms`);
    await sleep(10);
  }
}

/** What `promise` resolves with; throws Unmet with `what` when it takes longer than `timeoutMs`. */
export async function within<T>(what: string, promise: PromiseLike<T>, timeoutMs: number): Promise<T> {
  const stop = new AbortController();
  const late = sleep(timeoutMs, undefined, { signal: stop.signal }).then(
    () => {
      throw new Unmet(`${what}: not within ${timeoutMs} ms`);
    },
    () => promise, // stopped: the promise was settled first
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    stop.abort();
  }
}
