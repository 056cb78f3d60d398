import type { Clock } from "./clock.ts";

/**
 * Tells the old audio in a pipe from the new, after an interruption.
 *
 * A pipe hides when the frames in it were written: the first that it delivers after an interruption may have waited in
 * its transforms since long before. But what waited comes as fast as the transforms are, and what is spoken live or just
 * being made does not. So what a pipe delivers without a pause is old: until no frame comes for half as long as the one
 * before lasts (at least 5 ms, at most 50 ms), until the pipe lets go of `output`, or until 15 minutes of audio were dropped.
 */
export interface PipeBacklog {
  /** An interruption while a pipe holds `output`. */
  begin(): void;
  /** What comes now comes by no pipe, or by another. */
  end(): void;
  /** Whether a frame of `ms` that arrives now is old. */
  holds(ms: number): boolean;
  /** The last old frame is dealt with: from now on the pipe could deliver the next. */
  dropped(): void;
}

const minPauseMs = 5;
const maxPauseMs = 50;
const firstPauseMs = 10;
const maxMs = 15 * 60_000;

/** `isFree` tells whether nobody holds `output`. */
export function createPipeBacklog(clock: Clock, isFree: () => boolean): PipeBacklog {
  let active = false;
  let pauseMs = firstPauseMs;
  let sinceMs = 0;
  let heldMs = 0;

  return {
    begin() {
      active = true;
      pauseMs = firstPauseMs;
      sinceMs = clock.now();
      heldMs = 0;
    },
    end() {
      active = false;
    },
    holds(ms) {
      if (!active) return false;
      if (clock.now() - sinceMs >= pauseMs || heldMs >= maxMs) active = false;
      heldMs += ms;
      pauseMs = Math.min(maxPauseMs, Math.max(minPauseMs, ms / 2));
      return active;
    },
    dropped() {
      sinceMs = clock.now();
      if (active) watch(100);
    },
  };

  /** Another pipe may take hold of `output` within the same turn of the event loop: watches for the moment in between. */
  function watch(microtasks: number): void {
    if (isFree()) active = false;
    else if (active && microtasks > 0) queueMicrotask(() => watch(microtasks - 1));
  }
}
