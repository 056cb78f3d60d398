/** Time, so that tests can own it. */
export interface Clock {
  /** Milliseconds from an arbitrary start, with fractions, never going back. */
  now(): number;
  /** Calls back once, no earlier than `delayMs` from now; what it returns cancels that. */
  after(delayMs: number, callback: () => void): () => void;
}

/** The machine's monotonic clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
