/** How long packets should wait before they are played, by how unevenly they have come. */
export interface DelayTarget {
  /** From 20 to 120, in ms, counted from when the quickest packets come. */
  readonly targetMs: number;
  /** Where the quickest packets come by now: their time of arrival less their timestamp. `undefined` before the first. */
  readonly quickestMs: number | undefined;
  /** A packet came. `transitMs`: when, less its timestamp; `aheadMs`: how long before its own time it is needed. */
  add(transitMs: number, nowMs: number, aheadMs: number): void;
  /** What comes next may be quicker or slower, but as even as before. */
  restart(): void;
}

const minTargetMs = 20;
const maxTargetMs = 120;
/** What playing may be sooner than the target, and a little for timers that come late. */
const marginMs = 10;
/** 10 s of packets of 20 ms. */
const remembered = 512;
/** One in so many may come too late. */
const lateOneIn = 128;
const stepMs = 2;
const steps = 128;
/** How long a packet counts as the quickest; long against jitter, short against drift: at 200 ppm, 1 ms in 5 s. */
const quickestForMs = 5_000;
const periodMs = 1_000;

/**
 * Packets wait so long that all but 1 in 128 of the last 10 s would have been in time. Bad times count with their fifth late
 * packet (in the first seconds of a call with the first), and until they are 10 s ago.
 */
export function createDelayTarget(): DelayTarget {
  const counts = new Uint16Array(steps + 1);
  const ring = new Uint8Array(remembered);
  let added = 0;
  let targetMs = minTargetMs;
  /** The quickest of each period, the oldest first. */
  let periods: { readonly fromMs: number; quickestMs: number }[] = [];
  let quickestMs: number | undefined;

  function findQuickest(transitMs: number, nowMs: number): number {
    const last = periods.at(-1);
    if (!last || nowMs - last.fromMs >= periodMs) {
      periods.push({ fromMs: nowMs, quickestMs: transitMs });
      periods = periods.filter(({ fromMs }) => nowMs - fromMs < quickestForMs);
    } else if (transitMs < last.quickestMs) last.quickestMs = transitMs;
    return periods.reduce((least, period) => Math.min(least, period.quickestMs), transitMs);
  }

  function findTarget(): number {
    let late = Math.floor(Math.min(added, remembered) / lateOneIn);
    let step = steps;
    for (; step > 0; step--) {
      late -= counts[step] as number;
      if (late < 0) break;
    }
    return Math.min(maxTargetMs, Math.max(minTargetMs, step * stepMs + marginMs));
  }

  return {
    get targetMs() {
      return targetMs;
    },
    get quickestMs() {
      return quickestMs;
    },
    add(transitMs, nowMs, aheadMs) {
      quickestMs = findQuickest(transitMs, nowMs);
      const slot = added % remembered;
      if (added >= remembered) (counts[ring[slot] as number] as number)--;
      const step = Math.min(steps, Math.ceil((transitMs - quickestMs + aheadMs) / stepMs));
      ring[slot] = step;
      (counts[step] as number)++;
      added += 1;
      targetMs = findTarget();
    },
    restart() {
      periods = [];
      quickestMs = undefined;
    },
  };
}
