import type { Pacer } from "@pipecat-ts/runner-core";

/** For tests: a pacer and clock whose time advances only on request, synchronously. */
export interface SteadyPacer extends Pacer {
  /** Advances the time to `ms` and runs the ticks and callbacks that are due until then. */
  advanceTo(ms: number): void;
  /** Advances the time to `ms` without running anything, as a blocked event loop does. */
  skipTo(ms: number): void;
  /** The number of running series and pending callbacks. */
  readonly timers: number;
}

interface Timer {
  dueMs: number;
  /** `undefined` for a callback. */
  readonly periodMs?: number;
  readonly run: (dueMs: number) => void;
}

export function createSteadyPacer(startMs = 1_000): SteadyPacer {
  const timers = new Set<Timer>();
  let nowMs = startMs;

  function add(timer: Timer): () => void {
    timers.add(timer);
    return () => timers.delete(timer);
  }

  function next(): Timer {
    return [...timers].reduce((first, each) => (each.dueMs < first.dueMs ? each : first));
  }

  return {
    clock: {
      now: () => nowMs,
      after: (delayMs, callback) => add({ dueMs: nowMs + delayMs, run: callback }),
    },
    every: (periodMs, tick) => add({ dueMs: nowMs + periodMs, periodMs, run: tick }),
    advanceTo(ms) {
      while (timers.size > 0 && next().dueMs <= ms) {
        const due = next();
        nowMs = Math.max(nowMs, due.dueMs);
        if (due.periodMs === undefined) timers.delete(due);
        else due.dueMs += due.periodMs;
        due.run(nowMs);
      }
      nowMs = Math.max(nowMs, ms);
    },
    skipTo(ms) {
      nowMs = ms;
      // The pacer of the runner does not run missed ticks.
      for (const timer of timers) if (timer.periodMs !== undefined) timer.dueMs = Math.max(timer.dueMs, ms);
    },
    get timers() {
      return timers.size;
    },
  };
}
