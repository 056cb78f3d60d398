import { AsyncLocalStorage } from "node:async_hooks";
import { type Clock, systemClock } from "./clock.ts";
import { createLateness, type Lateness } from "./lateness.ts";
import { inOwnScope } from "./own-scope.ts";

/** The metronome of every call in one runner: one timer for all of them. Keep it with `runner.shared("pacer", createPacer)`. */
export interface Pacer {
  readonly clock: Clock;
  /** How late the ticks of all calls came. */
  readonly lateness: Lateness;
  /**
   * Calls `tick(dueMs)` every `periodMs` from now, without drift: the n-th call is due at start + n × periodMs, and is told
   * when it was due, not when it came. After a delay the calls that are due come at once, of all sessions in the order they
   * were due; one that is more than 200 ms late starts its series anew instead, so that no burst follows a long stop.
   *
   * Each `tick` runs in the asynchronous scope that `every` was called in, and one that throws does so alone: as an
   * uncaught exception of that scope. Returns what stops it.
   */
  every(periodMs: number, tick: (dueMs: number) => void): () => void;
}

/** The lateness at which a series starts anew. */
const rebaseMs = 200;
/** How early a timer may come, by `Clock`. Ticks so near are not worth another timer. */
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
 * Starts no timer until the first `every`, and holds none after the last one stopped. Create it outside of any session:
 * its timer keeps the asynchronous scope it was created in.
 */
export function createPacer(clock: Clock = systemClock): Pacer {
  const outside = AsyncLocalStorage.snapshot();
  const { lateness, add } = createLateness();
  /** The earliest due first. */
  const line: Ticker[] = [];
  let live = 0;
  let armedFor = Number.POSITIVE_INFINITY;
  let disarm: (() => void) | undefined;

  function insert(ticker: Ticker): void {
    let place = line.length;
    while (place > 0 && (line[place - 1] as Ticker).dueMs > ticker.dueMs) place--;
    line.splice(place, 0, ticker);
  }

  function arm(): void {
    const dueMs = line[0]?.dueMs ?? Number.POSITIVE_INFINITY;
    if (dueMs === armedFor) return;
    disarm?.();
    disarm = undefined;
    armedFor = dueMs;
    if (line.length > 0) disarm = outside(() => clock.after(Math.max(0, dueMs - clock.now()), run));
  }

  function run(): void {
    disarm = undefined;
    armedFor = Number.POSITIVE_INFINITY;
    const nowMs = clock.now();
    for (let ticker = line[0]; ticker && ticker.dueMs < nowMs + earlyMs; ticker = line[0]) {
      line.shift();
      if (!ticker.stopped) advance(ticker, nowMs);
    }
    arm();
  }

  function advance(ticker: Ticker, nowMs: number): void {
    const lateMs = nowMs - ticker.dueMs;
    const dueMs = lateMs > rebaseMs ? nowMs : ticker.dueMs;
    add(clock.now() - ticker.dueMs);
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
    lateness,
    every(periodMs, tick) {
      const startMs = clock.now();
      const ticker: Ticker = {
        periodMs,
        run: inOwnScope(tick),
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
        line.length = 0;
        arm();
      };
    },
  };
}
