/** A histogram of pacer lag: how late ticks ran, in ms. It takes 4 KB, whatever it counts. */
export interface LagHistogram {
  /** Ticks since the start or the last `reset`. */
  readonly count: number;
  readonly sumMs: number;
  readonly maxMs: number;
  /** The lag that `percent` % of the ticks did not exceed, rounded up to 0.25 ms and at most 250; 0 without ticks. */
  percentileMs(percent: number): number;
  /** Ticks with a lag of at most `ms`, rounded up to 0.25 ms. `ms` is below 250. */
  countUpTo(ms: number): number;
  add(lagMs: number): void;
  reset(): void;
}

const stepMs = 0.25;
const steps = 1000;

export function createLagHistogram(): LagHistogram {
  const counts = new Uint32Array(steps + 1);
  let count = 0;
  let sumMs = 0;
  let maxMs = 0;

  return {
    get count() {
      return count;
    },
    get sumMs() {
      return sumMs;
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
    countUpTo(ms) {
      let seen = 0;
      for (let step = 0; step * stepMs <= ms && step <= steps; step++) seen += counts[step] as number;
      return seen;
    },
    add(lagMs) {
      const step = lagMs <= 0 ? 0 : Math.min(steps, Math.ceil(lagMs / stepMs));
      (counts[step] as number)++;
      count += 1;
      sumMs += Math.max(0, lagMs);
      if (lagMs > maxMs) maxMs = lagMs;
    },
    reset() {
      counts.fill(0);
      count = 0;
      sumMs = 0;
      maxMs = 0;
    },
  };
}
