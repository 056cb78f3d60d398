import type { Pacer } from "@pipecat-ts/runner-core";

/** For tests: a pacer and clock whose time advances only on request, synchronously. */
export interface SteadyPacer extends Pacer {
  /** Advances the time to `ms` and runs the ticks that are due until then. */
  advanceTo(ms: number): void;
  /** The number of running series. */
  readonly series: number;
}

export function createSteadyPacer(startMs = 1_000): SteadyPacer {
  const series = new Set<{ dueMs: number; readonly periodMs: number; readonly tick: (dueMs: number) => void }>();
  let nowMs = startMs;

  function next() {
    return [...series].reduce((first, each) => (each.dueMs < first.dueMs ? each : first));
  }

  return {
    clock: { now: () => nowMs, after: () => () => undefined },
    every(periodMs, tick) {
      const added = { periodMs, tick, dueMs: nowMs + periodMs };
      series.add(added);
      return () => series.delete(added);
    },
    advanceTo(ms) {
      while (series.size > 0 && next().dueMs <= ms) {
        const due = next();
        nowMs = due.dueMs;
        due.dueMs += due.periodMs;
        due.tick(nowMs);
      }
      nowMs = Math.max(nowMs, ms);
    },
    get series() {
      return series.size;
    },
  };
}
