import type { Logger } from "@pipecat-ts/runner-core";

/** The counters of one call, in frames unless stated otherwise. */
export interface MediaCounters {
  /** 20 ms frames of the caller's audio. */
  readonly inputFrames: number;
  /** Frames that a reader did not read within 500 ms, once per reader. */
  readonly inputDropped: number;
  /** Frames that were dropped before a reader had read 500 ms. */
  readonly inputUnread: number;
  /** Frames from the wire that were not valid audio. */
  readonly inputInvalid: number;
  /** Frames from the wire that were dropped because their sample rate changed too often. */
  readonly inputRateDropped: number;
  /** Frames of the bot's audio that were sent. */
  readonly outputFrames: number;
  /** Frames of the bot's audio that the wire did not take: more than 1 MiB was buffered, or it threw. */
  readonly outputDropped: number;
  /** Sent frames that a reader of `listenOutput` did not read in time, once per reader. */
  readonly outputUnread: number;
  /** Frames from the bot that were not valid audio. */
  readonly outputInvalid: number;
  /** Milliseconds of audio dropped as old: from a pipe after an interruption, or written to a speech after its end. */
  readonly outputStaleMs: number;
  /** Gaps within an utterance because the bot's audio was late. */
  readonly outputGaps: number;
  /** Events dropped because 50 of their name, or messages of 1 MiB, were buffered without a listener. */
  readonly eventsDropped: number;
}

/** Counts what one call carries and drops, and logs the first drop of each kind. */
export interface DropCounters {
  readonly counters: { -readonly [Name in keyof MediaCounters]: number };
  /** Counts a drop; logs the first of its kind. */
  add(kind: keyof MediaCounters, event: string, count?: number): void;
}

export function createDropCounters(logger: Logger): DropCounters {
  const counters = {
    inputFrames: 0,
    inputDropped: 0,
    inputUnread: 0,
    inputInvalid: 0,
    inputRateDropped: 0,
    outputFrames: 0,
    outputDropped: 0,
    outputUnread: 0,
    outputInvalid: 0,
    outputStaleMs: 0,
    outputGaps: 0,
    eventsDropped: 0,
  };
  return {
    counters,
    add(kind, event, count = 1) {
      if (counters[kind] === 0 && count > 0) logger.warn({ counter: kind }, `${event}; further ones are only counted`);
      counters[kind] += count;
    },
  };
}
