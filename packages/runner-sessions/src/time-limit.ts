import { type BotSession, type Logger, RunnerError, withTimeout } from "@pipecat-ts/runner-core";

/** A goodbye that a bot registered with `onTimeLimit`. */
export type Goodbye = Parameters<BotSession["onTimeLimit"]>[0];

/** How long one call may last. */
export interface TimeLimit {
  /**
   * Sets the limit, in ms from the start of the bot. One that the bot sets while the goodbyes run, and that is not over when they
   * end, continues the call. Throws OPTION_INVALID.
   */
  set(ms: number): void;
  addGoodbye(goodbye: Goodbye): void;
  /** The session has ended: stops the timer, and aborts the deadline of goodbyes that still run. */
  close(): void;
}

export interface TimeLimitOptions {
  readonly logger: Logger;
  /** When the bot started, on the clock of `performance.now()`. */
  readonly startedMs: number;
  /** Runs a goodbye in the session's asynchronous scope. */
  inScope<Result>(work: () => Result): Result;
  /** A goodbye threw. */
  failed(error: unknown): void;
  /** The limit is reached, and the goodbyes have run. */
  reached(): void;
}

/** How long a bot may say goodbye when its call has reached its maximum duration, in ms. */
const goodbyeMs = 10_000;
/** Longer timers of Node fire at once: 24.8 days. */
const longestTimerMs = 2 ** 31 - 1;

/** Runs the goodbyes when the call has reached its maximum duration, and then ends it. */
export function createTimeLimit({ logger, startedMs, inScope, failed, reached }: TimeLimitOptions): TimeLimit {
  const goodbyes: Goodbye[] = [];
  let timer: NodeJS.Timeout | undefined;
  /** The goodbyes run, or the call ends. */
  let isReached = false;
  /** The limit that the bot has set since then. */
  let newLimitMs: number | undefined;
  /** A goodbye has not settled, perhaps because it ignores its deadline. */
  let isSaying = false;
  const closed = new AbortController();

  function start(ms: number): void {
    clearTimeout(timer);
    if (ms === Number.POSITIVE_INFINITY) return;
    const leftMs = Math.max(0, startedMs + ms - performance.now());
    timer = setTimeout(() => (leftMs > longestTimerMs ? start(ms) : void reach()), Math.min(leftMs, longestTimerMs));
  }

  async function reach(): Promise<void> {
    logger.info({ durationMs: Math.round(performance.now() - startedMs) }, "maximum call duration reached");
    isReached = true;
    newLimitMs = undefined;
    if (!isSaying) await sayGoodbye();
    if (closed.signal.aborted) return;
    if (newLimitMs === undefined || startedMs + newLimitMs <= performance.now()) return reached();
    isReached = false;
    start(newLimitMs);
  }

  async function sayGoodbye(): Promise<void> {
    isSaying = true;
    const late = new AbortController();
    const deadline = AbortSignal.any([late.signal, closed.signal]);
    timer = setTimeout(() => abort(late), goodbyeMs);
    const said = goodbyes.map(async (goodbye) => await inScope(() => goodbye(deadline)));
    for (const each of said) each.catch(failed);
    const allSaid = Promise.allSettled(said).then(() => {
      isSaying = false;
    });
    await withTimeout(allSaid, deadline);
    clearTimeout(timer);
  }

  /** In the session's scope, so that an exception in an abort listener is attributed to it. */
  function abort(controller: AbortController): void {
    inScope(() => controller.abort());
  }

  return {
    set(ms) {
      if (!(ms > 0)) {
        throw new RunnerError("OPTION_INVALID", `limitDuration: ${ms} is not a duration.`, {
          fix: "Use a number of ms above 0, or Infinity.",
        });
      }
      if (isReached) newLimitMs = ms;
      else start(ms);
    },
    addGoodbye: (goodbye) => void goodbyes.push(goodbye),
    close() {
      isReached = true;
      clearTimeout(timer);
      abort(closed);
    },
  };
}
