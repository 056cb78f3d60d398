import type { Clock } from "@pipecat-ts/runner-core";

/** A clock that only `advance` moves. */
export interface FakeClock extends Clock {
  advance(ms: number): void;
  /** The number of running timers. */
  readonly timers: number;
}

export function createFakeClock(): FakeClock {
  const timers = new Map<() => void, number>();
  let nowMs = 0;
  return {
    now: () => nowMs,
    after(delayMs, callback) {
      const due = () => callback();
      timers.set(due, nowMs + delayMs);
      return () => timers.delete(due);
    },
    advance(ms) {
      nowMs += ms;
      for (const [due, atMs] of [...timers].sort(([, a], [, b]) => a - b)) {
        if (atMs <= nowMs && timers.delete(due)) due();
      }
    },
    get timers() {
      return timers.size;
    },
  };
}
