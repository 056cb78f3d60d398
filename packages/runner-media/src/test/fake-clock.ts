import type { Clock } from "@pipecat-ts/runner-core";

/** A clock that advances only when a test advances it. */
export interface FakeClock extends Clock {
  /** Advances by `ms`, timer by timer. Everything that a timer starts is done before the next timer. */
  advance(ms: number): Promise<void>;
  /** Advances by `ms` at once, as if the process had been stopped: due timers run late, together. */
  stall(ms: number): Promise<void>;
  /** Active timers. */
  readonly timers: number;
  /** Timers started so far. */
  readonly started: number;
}

interface Timer {
  readonly atMs: number;
  readonly callback: () => void;
}

/** Waits for one turn of the event loop, so that pending promise jobs run. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export function createFakeClock(startMs = 1_000): FakeClock {
  const timers = new Set<Timer>();
  let nowMs = startMs;
  let started = 0;

  function nextUntil(endMs: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of timers) if (timer.atMs <= endMs && (!next || timer.atMs < next.atMs)) next = timer;
    return next;
  }

  async function run(endMs: number): Promise<void> {
    await settle();
    for (let timer = nextUntil(endMs); timer; timer = nextUntil(endMs)) {
      timers.delete(timer);
      nowMs = Math.max(nowMs, timer.atMs);
      timer.callback();
      await settle();
    }
    nowMs = Math.max(nowMs, endMs);
  }

  return {
    now: () => nowMs,
    after(delayMs, callback) {
      const timer = { atMs: nowMs + delayMs, callback };
      timers.add(timer);
      started += 1;
      return () => timers.delete(timer);
    },
    advance: (ms) => run(nowMs + ms),
    async stall(ms) {
      nowMs += ms;
      await run(nowMs);
    },
    get timers() {
      return timers.size;
    },
    get started() {
      return started;
    },
  };
}
