/** How late a pacer's ticks came, in ms: what tells an overloaded process before its callers do. */
export interface Lateness {
  /** How many ticks came since the start or the last `reset`. */
  readonly count: number;
  readonly maxMs: number;
  /** The lateness that `percent` % of the ticks did not exceed, rounded up to 0.25 ms; 0 when none came. Of 250 ms and more: 250. */
  percentileMs(percent: number): number;
  /** Begins anew: for figures by interval. */
  reset(): void;
}

/** A `Lateness` and how its pacer adds to it. */
export interface LatenessRecorder {
  readonly lateness: Lateness;
  add(lateMs: number): void;
}

const stepMs = 0.25;
const steps = 1000;

/** A histogram of 4 KB, whatever it counts. */
export function createLateness(): LatenessRecorder {
  const counts = new Uint32Array(steps + 1);
  let count = 0;
  let maxMs = 0;

  return {
    lateness: {
      get count() {
        return count;
      },
      get maxMs() {
        return maxMs;
      },
      percentileMs(percent) {
        const wanted = (count * percent) / 100;
        let seen = 0;
        for (let step = 0; step <= steps; step++) {
          seen += counts[step] as number;
          if (seen > 0 && seen >= wanted) return step * stepMs;
        }
        return 0;
      },
      reset() {
        counts.fill(0);
        count = 0;
        maxMs = 0;
      },
    },
    add(lateMs) {
      const step = lateMs <= 0 ? 0 : Math.min(steps, Math.ceil(lateMs / stepMs));
      (counts[step] as number)++;
      count += 1;
      if (lateMs > maxMs) maxMs = lateMs;
    },
  };
}
