import type { Pacer } from "@pipecat-ts/runner-media";

/** For tests: a pacer whose time passes when it is told to, at once and without promises. */
export interface SteadyPacer extends Pacer {
  /** Lets time pass up to `ms`; whatever is due on the way happens then. */
  advanceTo(ms: number): void;
  /** How many series run. */
  readonly series: number;
}

export function createSteadyPacer(startMs = 1_000): SteadyPacer {
  const series = new Set<{ dueMs: number; readonly periodMs: number; readonly tick: (dueMs: number) => void }>();
  let nowMs = startMs;

  function next() {
    return [...series].reduce((first, one) => (one.dueMs < first.dueMs ? one : first));
  }

  return {
    clock: { now: () => nowMs, after: () => () => undefined },
    lateness: { count: 0, maxMs: 0, percentileMs: () => 0, reset: () => undefined },
    every(periodMs, tick) {
      const one = { periodMs, tick, dueMs: nowMs + periodMs };
      series.add(one);
      return () => series.delete(one);
    },
    advanceTo(ms) {
      while (series.size > 0 && next().dueMs <= ms) {
        const one = next();
        nowMs = one.dueMs;
        one.dueMs += one.periodMs;
        one.tick(nowMs);
      }
      nowMs = Math.max(nowMs, ms);
    },
    get series() {
      return series.size;
    },
  };
}
