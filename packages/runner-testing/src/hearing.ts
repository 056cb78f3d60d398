import { AssertionError } from "node:assert";
import { setTimeout as sleep } from "node:timers/promises";
import { type AudioFrame, durationMs, excerpt, join, measureLevel, measurePitch } from "@pipecat-ts/audio";
import type { PlayedFrame, Playout } from "@pipecat-ts/runner-core/caller";

/** A sound that the caller is expected to hear. Without pitch and level, any sound. */
export interface ExpectedSound {
  /** Its pitch in Hz, within 1 %: from 60 to 1,000 Hz. */
  readonly pitchHz?: number;
  /** Its lowest level in dBFS. Default −45. */
  readonly minDb?: number;
  /** Its highest level in dBFS. */
  readonly maxDb?: number;
  /** How long it must last, in ms. Default 200. */
  readonly forMs?: number;
  /** When it must have been heard, in ms from now. Default 5,000. */
  readonly withinMs?: number;
}

/** What the caller heard. */
export interface HeardSound {
  /**
   * From the end of what the caller said last, or from the beginning of the call, to the bot's first sound since the last `hears`, in
   * ms. Negative if the bot began before.
   */
  readonly latencyMs: number;
  readonly levelDb: number;
  /** `undefined` for sounds without a pitch. */
  readonly pitchHz: number | undefined;
}

/** What a caller hears, as assertions that wait. They throw an AssertionError, so they work in every test framework. */
export interface Hearing {
  /**
   * Waits until the caller hears a sound, and returns what was measured. Each call looks at what was heard since the last one
   * found its sound, or since the call began.
   */
  hears(expected?: ExpectedSound): Promise<HeardSound>;
  /** Waits until the caller has heard nothing for `forMs` (default 500), at most `withinMs` (default 5,000). */
  hearsSilence(options?: { readonly forMs?: number; readonly withinMs?: number }): Promise<void>;
}

const audibleDb = -45;
const pollMs = 20;
const defaultMs = 5_000;

/** `saidAtMs` returns when the caller stopped to speak, or the beginning of the call, on the scale of `performance.now()`. */
export function createHearing(playout: Playout, saidAtMs: () => number): Hearing {
  /** Frames that earlier calls of `hears` have used. */
  let used = 0;

  return {
    async hears(expected = {}) {
      const { withinMs = defaultMs } = expected;
      const deadline = performance.now() + withinMs;
      let closest: AudioFrame | undefined;
      for (let checked = used; ; ) {
        const played = playout.playedSince(used);
        for (; checked < used + played.length; checked++) {
          const window = lastPart(played.slice(0, checked + 1 - used), expected.forMs ?? 200);
          if (!window || measureLevel(window) < (expected.minDb ?? audibleDb)) continue;
          closest = window;
          if (!isExpected(window, expected)) continue;
          const first = played.find(({ frame }) => isAudible(frame));
          used = checked + 1;
          return {
            latencyMs: (first?.atMs ?? 0) - saidAtMs(),
            levelDb: measureLevel(window),
            pitchHz: measurePitch(window),
          };
        }
        if (performance.now() >= deadline) {
          throw new AssertionError({
            message: `The caller heard ${describe(closest)} within ${withinMs} ms, expected ${describeExpected(expected)}.`,
          });
        }
        await sleep(pollMs);
      }
    },
    async hearsSilence({ forMs = 500, withinMs = defaultMs } = {}) {
      const beganAtMs = performance.now();
      for (;;) {
        const nowMs = performance.now();
        const last = playout.played().findLast(({ frame }) => isAudible(frame));
        const quietSinceMs = Math.max(beganAtMs, last === undefined ? 0 : last.atMs + durationMs(last.frame));
        if (nowMs - quietSinceMs >= forMs) return;
        if (nowMs - beganAtMs >= withinMs) {
          throw new AssertionError({
            message: `The caller still hears the bot after ${withinMs} ms, expected silence for ${forMs} ms.`,
          });
        }
        await sleep(pollMs);
      }
    },
  };
}

function isAudible(frame: AudioFrame): boolean {
  return measureLevel(frame) >= audibleDb;
}

/** The last `forMs` of the frames; `undefined` if they are shorter, or have an inaudible frame there. */
function lastPart(played: readonly PlayedFrame[], forMs: number): AudioFrame | undefined {
  const frames: AudioFrame[] = [];
  let length = 0;
  for (const { frame } of played.toReversed()) {
    if (!isAudible(frame)) return undefined;
    frames.unshift(frame);
    length += durationMs(frame);
    if (length >= forMs) {
      const audio = join(frames);
      return excerpt(audio, length - forMs, length);
    }
  }
  return undefined;
}

function isExpected(audio: AudioFrame, { pitchHz, maxDb = 0 }: ExpectedSound): boolean {
  if (measureLevel(audio) > maxDb) return false;
  const pitch = pitchHz === undefined ? undefined : measurePitch(audio);
  return pitchHz === undefined || (pitch !== undefined && Math.abs(pitch / pitchHz - 1) < 0.01);
}

function describe(audio: AudioFrame | undefined): string {
  if (!audio) return "no sound that is long and loud enough";
  const pitch = measurePitch(audio);
  return `${pitch === undefined ? "a sound without a pitch" : `${pitch.toFixed(0)} Hz`} at ${measureLevel(audio).toFixed(1)} dBFS last`;
}

function describeExpected({ pitchHz, minDb, maxDb, forMs = 200 }: ExpectedSound): string {
  return [
    `${pitchHz === undefined ? "a sound" : `${pitchHz} Hz`} for ${forMs} ms`,
    ...(minDb === undefined ? [] : [`of at least ${minDb} dBFS`]),
    ...(maxDb === undefined ? [] : [`of at most ${maxDb} dBFS`]),
  ].join(" ");
}
