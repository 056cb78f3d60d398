import { AssertionError } from "node:assert";
import { setTimeout as sleep } from "node:timers/promises";

/** Throws an AssertionError with `message` unless `condition` holds. */
export function expect(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError({ message });
}

/** Throws an AssertionError unless `actual` and `expected` are the same JSON value. The order of keys does not count. */
export function expectSame(what: string, actual: unknown, expected: unknown): void {
  const [found, wanted] = [stringify(actual), stringify(expected)];
  expect(found === wanted, `${what} is ${found}, expected ${wanted}`);
}

/** Waits until `condition` holds, and checks every 10 ms. Throws an AssertionError with `what` after `timeoutMs`. */
export async function until(what: string, condition: () => boolean, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    expect(performance.now() <= deadline, `${what}: not within ${timeoutMs} ms`);
    await sleep(10);
  }
}

/** Waits for `promise`. Throws an AssertionError with `what` after `timeoutMs`. */
export async function within<T>(what: string, promise: PromiseLike<T>, timeoutMs: number): Promise<T> {
  const stop = new AbortController();
  const timeout = sleep(timeoutMs, undefined, { signal: stop.signal }).then(
    () => {
      throw new AssertionError({ message: `${what}: not within ${timeoutMs} ms` });
    },
    () => promise, // aborted: the promise has settled
  );
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    stop.abort();
  }
}

function stringify(value: unknown): string {
  const sorted = (_: string, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part;
  return JSON.stringify(value, sorted) ?? String(value);
}
