/** The time source of the media layer, which tests can replace. */
export interface Clock {
  /** Milliseconds from an arbitrary start, with fractions, never going back. */
  now(): number;
  /** Calls `callback` once, after `delayMs` or later, but at most 1 ms early. Returns a function that cancels it. */
  after(delayMs: number, callback: () => void): () => void;
}

/** The machine's monotonic clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, callback) {
    // Timers truncate fractions; rounded up, they come less than 1 ms early.
    const timer = setTimeout(callback, Math.ceil(delayMs));
    return () => clearTimeout(timer);
  },
};

/** Resolves after `durationMs`, or when `signal` aborts. */
export function pause(clock: Clock, durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    function end(): void {
      cancel();
      signal.removeEventListener("abort", end);
      resolve();
    }
    const cancel = clock.after(durationMs, end);
    signal.addEventListener("abort", end);
  });
}
