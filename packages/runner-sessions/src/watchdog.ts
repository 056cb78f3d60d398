import { createHook } from "node:async_hooks";
import { performance } from "node:perf_hooks";

/** How long code may hold the event loop without a report, in ms: calls have buffers of 100 to 200 ms. */
export const blockedMs = 200;
/** How long all callbacks are observed after a block whose session is unknown, in ms. */
const observationMs = 60_000;
/** The shortest time between the starts of two observations, in ms: an overloaded machine must not observe all the time. */
const observationEveryMs = 600_000;
/** The shortest time between two warnings about one session, in ms. */
const warningMs = 10_000;

export interface WatchdogOptions<Session> {
  /** The session in whose scope the current code runs. */
  current(): Session | undefined;
  /** Code held the event loop for `durationMs`. */
  onBlocked(durationMs: number): void;
  /** The same, at most once in 10 s for each session. `session` is the one whose code ran, if it is known. */
  warn(session: Session | undefined, durationMs: number): void;
}

/** Tells which session held the event loop for 200 ms or more. */
export interface Watchdog<Session> {
  /** Runs code of a session. */
  enter<Result>(session: Session, work: () => Result): Result;
  /** The pacer ran this late, which was more than 200 ms. */
  late(lagMs: number): void;
}

/**
 * Measures without timers, so that an idle runner sleeps, in two ways:
 *
 * - The runner's calls of a session's code: messages of its caller, media ticks, the start of its bot, and cleanup. A
 *   measurement includes the promise continuations of the call. Continuations that follow ticks of several sessions are
 *   measured, but not attributed.
 * - The lag of the pacer, while media timers run. It shows all other causes, without a session: timers and network
 *   responses of a bot, code of an embedding program, garbage collection, overload by many short callbacks, a suspended
 *   process.
 *
 * After a block without a session, every callback and promise continuation is observed for 60 s, at most once in 10
 * minutes. If a bot's timer or network response blocks again in this time, its session is known. Meanwhile, each
 * continuation takes about 0.1 µs longer on Node 24, and up to 1 µs on Node 22.
 *
 * Not seen: worker threads, and blocks by other code than the runner's calls while no media timer runs.
 */
export function createWatchdog<Session extends object>(options: WatchdogOptions<Session>): Watchdog<Session> {
  const { nodeTiming } = performance;
  const unknown = {};
  const warnedMs = new WeakMap<object, number>();
  /** What runs: a session, or unknown code. Undefined while nothing is measured. */
  let running: object | undefined;
  let startMs = 0;
  /** How long the event loop had waited for events at `startMs`. */
  let idleMs = 0;
  /** The session of all calls since the current callback began; `unknown` after calls of several. */
  let entered: object | undefined;
  let reportedMs = Number.NEGATIVE_INFINITY;
  let observes = false;
  let observedMs = Number.NEGATIVE_INFINITY;

  const hook = createHook({
    before() {
      if (performance.now() - observedMs < observationMs) return begin(options.current() ?? unknown);
      observes = false;
      running = undefined;
      hook.disable();
    },
  });

  function begin(next: object): void {
    const idle = nodeTiming.idleTime;
    // Successive callbacks of one session are one block, unless the event loop waited between them.
    if (next === running && idle === idleMs) return;
    end();
    running = next;
    startMs = performance.now();
    idleMs = idle;
  }

  function end(): void {
    if (running === undefined) return;
    const nowMs = performance.now();
    const durationMs = nowMs - startMs - (nodeTiming.idleTime - idleMs);
    if (durationMs >= blockedMs) {
      reportedMs = nowMs;
      // Later, because an exception in an asynchronous hook would end the process.
      process.nextTick(report, running, durationMs);
    }
    running = undefined;
  }

  function report(who: object, durationMs: number): void {
    options.onBlocked(durationMs);
    if (who === unknown) observe();
    const nowMs = performance.now();
    if (nowMs - (warnedMs.get(who) ?? Number.NEGATIVE_INFINITY) < warningMs) return;
    warnedMs.set(who, nowMs);
    options.warn(who === unknown ? undefined : (who as Session), durationMs);
  }

  function observe(): void {
    if (performance.now() - observedMs < observationEveryMs) return;
    observedMs = performance.now();
    observes = true;
    hook.enable();
  }

  /** While all callbacks are observed, the next one ends the measurement. */
  function close(): void {
    entered = undefined;
    if (!observes) end();
  }

  /** A tick that a microtask schedules runs after the continuations. */
  const closeAfterContinuations = () => process.nextTick(close);

  return {
    enter(session, work) {
      if (entered === undefined) queueMicrotask(closeAfterContinuations);
      entered = entered === undefined || entered === session ? session : unknown;
      begin(session);
      try {
        return work();
      } finally {
        begin(entered ?? unknown);
      }
    },
    late(lagMs) {
      const nowMs = performance.now();
      if (nowMs - lagMs < reportedMs) return;
      reportedMs = nowMs;
      process.nextTick(report, unknown, lagMs);
    },
  };
}
