import type { AudioFrame } from "@pipecat-ts/audio";
import type { Pacer } from "@pipecat-ts/runner-media";
import type { CallerAudio } from "./codec.ts";

/** Puts the caller's audio in order and keeps it in time. */
export interface Timeline {
  take(audio: CallerAudio): void;
  /** Nothing comes any more. */
  end(): void;
  /** Pieces that came too late and were dropped, and silence put in, in ms. */
  readonly counters: { readonly late: number; readonly filledMs: number };
}

/** What a timeline is built from. */
export interface TimelineOptions {
  readonly pacer: Pacer;
  /** Rate in Hz of what it takes and gives. */
  readonly sampleRate: number;
  give(frame: AudioFrame): void;
}

/** How many pieces wait for one that is missing: 100 ms, where a piece has 20. */
const heldPieces = 5;
/** A gap is silence that the carrier did not send; its clock's jitter is none. */
const leastGapMs = 5;
/** How much more silence may be put in than time has passed: a carrier's clock may run in another unit than it says. */
const graceMs = 60;
/** A line that gives nothing for so long is silent. */
const idleMs = 500;
const idleStepMs = 100;
/** A tick that is so much too late comes of a process that was held up: what was sent meanwhile waits to be read. */
const heldUpMs = 50;
const longestFillMs = 1_000;

/**
 * Pieces out of order are put right when at most five come before the missing one; what comes later is dropped, and
 * counted. A gap on the carrier's clock is filled with silence, and a line that goes quiet gives silence after 500 ms, so
 * that voice detectors and recordings stay in time. Nothing that comes in order is ever dropped, however late.
 */
export function createTimeline({ pacer, sampleRate, give }: TimelineOptions): Timeline {
  const { clock } = pacer;
  const counters = { late: 0, filledMs: 0 };
  const held = new Map<number, CallerAudio>();
  let nextOrder: number | undefined;
  let lateInARow = 0;
  let stopIdling: (() => void) | undefined;
  let ended = false;
  let startedAtMs = 0;
  let arrivedAtMs = 0;
  let lookedAtMs = 0;
  let givenMs = 0;
  /** Where the carrier's clock stands at the end of what was given. */
  let endAtMs: number | undefined;
  /** Silence given since, for want of anything else. */
  let idledMs = 0;

  /** Gives a numbered piece in its turn. */
  function order(audio: CallerAudio, number: number): void {
    nextOrder ??= number;
    if (number < nextOrder) {
      counters.late += 1;
      lateInARow += 1;
      // A carrier that counts anew, or not at all, would be dropped for ever.
      if (lateInARow <= heldPieces) return;
      nextOrder = number;
    }
    lateInARow = 0;
    held.set(number, audio);
    drain();
    if (held.size > heldPieces) skipMissing();
  }

  function drain(): void {
    for (let next = held.get(nextOrder ?? 0); next; next = held.get(nextOrder ?? 0)) {
      held.delete(nextOrder ?? 0);
      nextOrder = (nextOrder ?? 0) + 1;
      place(next);
    }
  }

  function skipMissing(): void {
    nextOrder = Math.min(...held.keys());
    drain();
  }

  function place({ samples, atMs }: CallerAudio): void {
    const ms = (samples.length / sampleRate) * 1000;
    if (atMs !== undefined) {
      const gapMs = endAtMs === undefined ? 0 : atMs - endAtMs - idledMs;
      if (gapMs >= leastGapMs) fill(Math.min(gapMs, clock.now() - startedAtMs - givenMs + graceMs));
      endAtMs = atMs + ms;
    }
    idledMs = 0;
    givenMs += ms;
    give({ samples, sampleRate, channels: 1 });
  }

  function fill(wantedMs: number): number {
    const count = Math.floor((Math.min(wantedMs, longestFillMs) * sampleRate) / 1000);
    if (count <= 0) return 0;
    const ms = (count / sampleRate) * 1000;
    counters.filledMs += ms;
    givenMs += ms;
    give({ samples: new Int16Array(count), sampleRate, channels: 1 });
    return ms;
  }

  function idle(): void {
    const nowMs = clock.now();
    const heldUp = nowMs - lookedAtMs > idleStepMs + heldUpMs;
    lookedAtMs = nowMs;
    if (heldUp || nowMs - arrivedAtMs < idleMs) return;
    while (held.size > 0) skipMissing();
    idledMs += fill(nowMs - startedAtMs - givenMs);
  }

  return {
    counters,
    take(audio) {
      if (ended || audio.samples.length === 0) return;
      arrivedAtMs = clock.now();
      if (!stopIdling) {
        startedAtMs = arrivedAtMs;
        lookedAtMs = arrivedAtMs;
        stopIdling = pacer.every(idleStepMs, idle);
      }
      if (audio.order === undefined) place(audio);
      else order(audio, audio.order);
    },
    end() {
      if (ended) return;
      ended = true;
      stopIdling?.();
      held.clear();
    },
  };
}
