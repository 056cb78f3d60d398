/** Time, so that tests can own it. */
export interface Clock {
  /** Milliseconds from an arbitrary start, with fractions, never going back. */
  now(): number;
  /** Calls back once, `delayMs` from now or later, early by less than 1 ms; what it returns cancels that. */
  after(delayMs: number, callback: () => void): () => void;
}

/** The machine's monotonic clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, callback) {
    // Timers cut fractions off; rounded up, they come less than 1 ms early.
    const timer = setTimeout(callback, Math.ceil(delayMs));
    return () => clearTimeout(timer);
  },
};
