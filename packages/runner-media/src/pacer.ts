import { type Clock, systemClock } from "./clock.ts";

/** The metronome of every call in one runner: one timer for all of them. Keep it with `runner.shared("pacer", createPacer)`. */
export interface Pacer {
  readonly clock: Clock;
  /**
   * Calls `tick(now)` every `periodMs` from now, without drift: the n-th call is due at start + n × periodMs, and late
   * ones are not made up for in a burst of timers. Returns what stops it.
   */
  every(periodMs: number, tick: (now: number) => void): () => void;
}

/** Starts no timer until the first `every`, and holds none after the last one stopped. */
export function createPacer(clock: Clock = systemClock): Pacer {
  throw new Error(`not written yet: ${clock.now()}`);
}
