import type { Logger } from "@pipecat-ts/runner-core";

/** What one call has carried and lost so far, in frames unless said otherwise. */
export interface MediaCounters {
  /** Frames of 20 ms that the caller's voice was cut into. */
  readonly inputFrames: number;
  /** Those that a reader had not read within 500 ms: dropped, once for each reader. */
  readonly inputDropped: number;
  /** Frames from the wire that were no audio. */
  readonly inputInvalid: number;
  /** Frames of the bot's voice that were sent. */
  readonly outputFrames: number;
  /** Frames of the bot's voice that were not sent, because more than 1 MiB waited on the wire or the wire threw. */
  readonly outputDropped: number;
  /** Frames the bot wrote that were no audio. */
  readonly outputInvalid: number;
  /** Times that the bot's voice was late within a stretch, so that the caller heard a hole. */
  readonly outputHoles: number;
  /** Events that came when 50 of their name were waiting for a first listener. */
  readonly eventsDropped: number;
}

/** Counts what one call carries and loses, and logs the first loss of each kind: none is silent, and none floods the log. */
export interface Losses {
  readonly counters: { -readonly [Name in keyof MediaCounters]: number };
  /** Counts a loss; the first of its kind is logged. */
  add(kind: keyof MediaCounters, message: string, count?: number): void;
}

export function createLosses(logger: Logger): Losses {
  const counters = {
    inputFrames: 0,
    inputDropped: 0,
    inputInvalid: 0,
    outputFrames: 0,
    outputDropped: 0,
    outputInvalid: 0,
    outputHoles: 0,
    eventsDropped: 0,
  };
  return {
    counters,
    add(kind, message, count = 1) {
      if (counters[kind] === 0 && count > 0) logger.warn(`${message} Counted from now on, as ${kind}.`);
      counters[kind] += count;
    },
  };
}
