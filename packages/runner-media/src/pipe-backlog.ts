import type { Clock } from "./clock.ts";

/**
 * Tells the old audio in a pipe from the new, after an interruption.
 *
 * A pipe hides when the frames in it were written: the first that it delivers after an interruption may have waited in
 * its transforms since long before. But what waited comes as fast as the transforms are, and what is spoken live or just
 * being made does not. So what a pipe delivers without a pause is old, until one of these:
 *
 * - no frame comes for half as long as the one before lasts, at least 5 ms, at most 50 ms;
 * - the pipe lets go of `output`;
 * - over half a second it has delivered less than 1.5 times what is spoken in that time: so that a live pipe gets through
 *   on a machine too busy to notice its pauses;
 * - 15 minutes of audio were dropped.
 */
export interface PipeBacklog {
  /** An interruption while a pipe holds `output`. */
  begin(): void;
  /** What comes now comes by no pipe, or by another. */
  end(): void;
  /** Whether a frame of `ms` that arrives now is old. To be asked of every frame, so that the usual length is known. */
  holds(ms: number): boolean;
  /** The last old frame is dealt with: from now on the pipe can deliver the next. */
  dropped(): void;
}

const minPauseMs = 5;
const maxPauseMs = 50;
const stepMs = 2;
const watchedMs = 500;
const liveSpeed = 1.5;
const maxMs = 15 * 60_000;

/** `isFree` tells whether nobody holds `output`. Holds a timer from `begin` until the old audio is over, or `end`. */
export function createPipeBacklog(clock: Clock, isFree: () => boolean): PipeBacklog {
  let cancelStep: (() => void) | undefined;
  let beganMs = 0;
  let heldMs = 0;
  /** How long the last frame that arrived lasts, old or not. */
  let lastMs = 20;
  let quietMs = 0;

  function pauseMs(): number {
    return Math.min(maxPauseMs, Math.max(minPauseMs, lastMs / 2));
  }

  function end(): void {
    cancelStep?.();
    cancelStep = undefined;
  }

  /**
   * Adds up the pause step by step, of which each counts for a quarter of it at most: when the whole process was stopped for a
   * while, that was no pause of the pipe.
   */
  function step(): void {
    const fromMs = clock.now();
    cancelStep = clock.after(stepMs, () => {
      quietMs += Math.min(clock.now() - fromMs, pauseMs() / 4);
      if (quietMs >= pauseMs()) end();
      else step();
    });
  }

  /** Another pipe may take hold of `output` within the same turn of the event loop: watches for the moment in between. */
  function watch(microtasks: number): void {
    if (isFree()) end();
    else if (cancelStep && microtasks > 0) queueMicrotask(() => watch(microtasks - 1));
  }

  return {
    begin() {
      end();
      beganMs = clock.now();
      heldMs = 0;
      quietMs = 0;
      step();
    },
    end,
    holds(ms) {
      lastMs = ms;
      if (!cancelStep) return false;
      const watchedForMs = clock.now() - beganMs;
      if (heldMs >= maxMs || (watchedForMs > watchedMs && heldMs < watchedForMs * liveSpeed)) {
        end();
        return false;
      }
      heldMs += ms;
      quietMs = 0;
      return true;
    },
    dropped() {
      quietMs = 0;
      if (cancelStep) watch(100);
    },
  };
}
