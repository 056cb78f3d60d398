/** How long packets should wait in the jitter buffer, derived from the jitter of the last 10 s. */
export interface TargetDelay {
  /** From 20 to 120 ms, relative to the fastest packets. */
  readonly targetMs: number;
  /** The transit time (arrival less timestamp) of the fastest packets in the last 5 s. `undefined` before the first packet. */
  readonly fastestMs: number | undefined;
  /** Adds a packet: its transit time, and how long before its own timestamp it is needed, in ms. */
  add(transitMs: number, nowMs: number, aheadMs: number): void;
  /** Another stream begins. It may have other transit times, but is expected to have the same jitter. */
  restart(): void;
}

const minTargetMs = 20;
const maxTargetMs = 120;
/** For the slack of the jitter buffer and for timer lag. */
const marginMs = 10;
/** 10 s of packets of 20 ms. */
const historySize = 512;
/** One packet of so many may arrive late. */
const lateOneIn = 128;
const stepMs = 2;
const steps = 128;
/** How long the fastest packet counts. Longer than jitter; short enough for clock drift, which at 200 ppm is 1 ms in 5 s. */
const fastestWindowMs = 5_000;
const periodMs = 1_000;

/**
 * Sets the target so that all but 1 in 128 packets of the last 10 s would have arrived in time. A period of jitter therefore
 * counts from its fifth late packet (in the first seconds of a call, from the first one) until 10 s after it.
 */
export function createTargetDelay(): TargetDelay {
  const histogram = new Uint16Array(steps + 1);
  const history = new Uint8Array(historySize);
  let added = 0;
  let targetMs = minTargetMs;
  /** The fastest packet of each period, oldest first. */
  let periods: { readonly fromMs: number; fastestMs: number }[] = [];
  let fastestMs: number | undefined;

  function findFastest(transitMs: number, nowMs: number): number {
    const last = periods.at(-1);
    if (!last || nowMs - last.fromMs >= periodMs) {
      periods.push({ fromMs: nowMs, fastestMs: transitMs });
      periods = periods.filter(({ fromMs }) => nowMs - fromMs < fastestWindowMs);
    } else if (transitMs < last.fastestMs) last.fastestMs = transitMs;
    return periods.reduce((least, period) => Math.min(least, period.fastestMs), transitMs);
  }

  function findTarget(): number {
    let late = Math.floor(Math.min(added, historySize) / lateOneIn);
    let step = steps;
    for (; step > 0; step--) {
      late -= histogram[step] as number;
      if (late < 0) break;
    }
    return Math.min(maxTargetMs, Math.max(minTargetMs, step * stepMs + marginMs));
  }

  return {
    get targetMs() {
      return targetMs;
    },
    get fastestMs() {
      return fastestMs;
    },
    add(transitMs, nowMs, aheadMs) {
      fastestMs = findFastest(transitMs, nowMs);
      const slot = added % historySize;
      if (added >= historySize) (histogram[history[slot] as number] as number)--;
      const step = Math.min(steps, Math.ceil((transitMs - fastestMs + aheadMs) / stepMs));
      history[slot] = step;
      (histogram[step] as number)++;
      added += 1;
      targetMs = findTarget();
    },
    restart() {
      periods = [];
      fastestMs = undefined;
    },
  };
}
