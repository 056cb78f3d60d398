import { AsyncLocalStorage } from "node:async_hooks";
import { type Clock, type Pacer, systemClock } from "@pipecat-ts/runner-core";
import { bindScope } from "./bind-scope.ts";
import { createLagHistogram, type LagHistogram } from "./lag-histogram.ts";

/** A pacer that measures its lag: the time from when a tick was due until it ran. */
export interface MeasuredPacer extends Pacer {
  readonly lag: LagHistogram;
}

/** Options of a pacer. */
export interface PacerOptions {
  /** Default: the machine's monotonic clock. */
  readonly clock?: Clock;
  /** Receives what a tick throws, in the scope of that tick. Default: an uncaught exception of that scope. */
  onError?(error: unknown): void;
  /** The event loop ran more than 200 ms after a tick was due. Called once per late run, before its ticks. */
  onLate?(lagMs: number): void;
}

/** Lag at which a series starts again. */
const rebaseMs = 200;
/** How early a timer may come, see `Clock`. A tick this near does not need another timer. */
const earlyMs = 1;

interface Ticker {
  readonly periodMs: number;
  readonly run: (dueMs: number) => void;
  startMs: number;
  ticks: number;
  dueMs: number;
  stopped: boolean;
}

/**
 * The one media timer of a runner. Starts no timer before the first `every`, and holds none after the last series stopped. Create it
 * outside of any session: its timer keeps the asynchronous scope in which it was created.
 */
export function createPacer({ clock = systemClock, onError, onLate }: PacerOptions = {}): MeasuredPacer {
  const outside = AsyncLocalStorage.snapshot();
  const lag = createLagHistogram();
  /** The earliest due first. */
  const queue: Ticker[] = [];
  let live = 0;
  let armedFor = Number.POSITIVE_INFINITY;
  let disarm: (() => void) | undefined;

  function insert(ticker: Ticker): void {
    let index = queue.length;
    while (index > 0 && (queue[index - 1] as Ticker).dueMs > ticker.dueMs) index--;
    queue.splice(index, 0, ticker);
  }

  function arm(): void {
    const dueMs = queue[0]?.dueMs ?? Number.POSITIVE_INFINITY;
    if (dueMs === armedFor) return;
    disarm?.();
    disarm = undefined;
    armedFor = dueMs;
    if (queue.length > 0) disarm = outside(() => clock.after(Math.max(0, dueMs - clock.now()), run));
  }

  function run(): void {
    disarm = undefined;
    armedFor = Number.POSITIVE_INFINITY;
    const nowMs = clock.now();
    const lagMs = nowMs - (queue[0]?.dueMs ?? nowMs);
    if (lagMs > rebaseMs) onLate?.(lagMs);
    for (let ticker = queue[0]; ticker && ticker.dueMs < nowMs + earlyMs; ticker = queue[0]) {
      queue.shift();
      if (!ticker.stopped) advance(ticker, nowMs);
    }
    arm();
  }

  function advance(ticker: Ticker, nowMs: number): void {
    const lateMs = nowMs - ticker.dueMs;
    const dueMs = lateMs > rebaseMs ? nowMs : ticker.dueMs;
    lag.add(clock.now() - ticker.dueMs);
    if (lateMs > rebaseMs) {
      ticker.startMs = nowMs;
      ticker.ticks = 0;
    } else ticker.ticks += 1;
    ticker.dueMs = ticker.startMs + (ticker.ticks + 1) * ticker.periodMs;
    insert(ticker);
    ticker.run(dueMs);
  }

  return {
    clock,
    lag,
    every(periodMs, tick) {
      const startMs = clock.now();
      const ticker: Ticker = {
        periodMs,
        run: bindScope(tick, onError),
        startMs,
        ticks: 0,
        dueMs: startMs + periodMs,
        stopped: false,
      };
      live += 1;
      insert(ticker);
      arm();
      return () => {
        if (ticker.stopped) return;
        ticker.stopped = true;
        live -= 1;
        if (live > 0) return;
        queue.length = 0;
        arm();
      };
    },
  };
}
