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
   * From the end of what the caller said last, or from the beginning of the call, to the first sound that `hears` considers, in ms.
   * Negative if the bot began before.
   */
  readonly latencyMs: number;
  readonly levelDb: number;
  /** `undefined` for sounds without a pitch. */
  readonly pitchHz: number | undefined;
}

/** What a caller hears, as assertions that wait. They throw an AssertionError, so they work in every test framework. */
export interface Hearing {
  /**
   * Waits until the caller hears a sound, and returns what was measured. Ignores the sound that an earlier call found, and sounds that
   * began before the caller last began to speak, pressed a key or sent a message. A sound ends with a pause of 200 ms, when the bot is
   * interrupted, or where `pitchHz` begins.
   */
  hears(expected?: ExpectedSound): Promise<HeardSound>;
  /**
   * Waits until the caller has heard nothing for `forMs` (default 500), at most `withinMs` (default 5,000). Throws if the call ended
   * because the bot or the transport failed.
   */
  hearsSilence(options?: { readonly forMs?: number; readonly withinMs?: number }): Promise<void>;
}

/** What the assertions know about a call. Times are on the scale of `performance.now()`. */
export interface HeardCall {
  readonly playout: Playout;
  /** When the caller stopped to speak, or the beginning of the call. */
  saidAtMs(): number;
  /** When the caller last began to speak, pressed a key or sent a message. `undefined` if the caller has not. */
  actedAtMs(): number | undefined;
  /** How the call failed, as a sentence. `undefined` if it did not. */
  failure(): string | undefined;
}

const audibleDb = -45;
const pollMs = 20;
const defaultMs = 5_000;
const defaultSoundMs = 200;
/** Shorter pauses belong to a sound, like those between words. */
const pauseMs = 200;

export function createHearing({ playout, saidAtMs, actedAtMs, failure }: HeardCall): Hearing {
  /** The sound that `hears` found last: the index of its first frame that was measured, and when the last one began. */
  let found = { index: 0, atMs: Number.NEGATIVE_INFINITY };

  /** An error that also says how the call failed. */
  const createError = (message: string) => new AssertionError({ message: [message, failure() ?? []].flat().join(" ") });

  return {
    async hears(expected = {}) {
      const { withinMs = defaultMs, forMs = defaultSoundMs, minDb = audibleDb } = expected;
      const isSound = ({ frame }: PlayedFrame) => measureLevel(frame) >= Math.min(minDb, audibleDb);
      const deadline = performance.now() + withinMs;
      const sinceMs = Math.max(found.atMs, actedAtMs() ?? Number.NEGATIVE_INFINITY);
      const { index } = found;
      let previous: PlayedFrame | undefined;
      /** The first frame of a sound that began after `sinceMs`. */
      let first: PlayedFrame | undefined;
      let closest: AudioFrame | undefined;
      let isOld = false;
      for (let checked = 0; ; ) {
        const played = playout.playedSince(index);
        for (const entry of played.slice(checked)) {
          checked++;
          if (!isSound(entry)) continue;
          const isNew = !previous || !continues(previous, entry, playout.clearedAtMs);
          if (entry.atMs > sinceMs && isNew) first ??= entry;
          previous = entry;
          const part = lastPart(played, checked, sinceMs, forMs, isSound);
          if (!part || measureLevel(part.audio) < minDb) continue;
          closest = part.audio;
          isOld = false;
          if (!isExpected(part.audio, expected)) continue;
          isOld = !first && !hasOtherPitch(played.filter(isSound), sinceMs, expected.pitchHz);
          if (isOld) continue;
          found = { index: index + checked - part.frames, atMs: entry.atMs };
          return {
            latencyMs: (first ?? part.first).atMs - saidAtMs(),
            levelDb: measureLevel(part.audio),
            pitchHz: measurePitch(part.audio),
          };
        }
        if (performance.now() >= deadline) {
          const heard = `The caller heard ${describe(closest)} within ${withinMs} ms, expected ${describeExpected(expected)}.`;
          throw createError(isOld ? `${heard} ${oldSound}` : heard);
        }
        await sleep(pollMs);
      }
    },
    async hearsSilence({ forMs = 500, withinMs = defaultMs } = {}) {
      const beganAtMs = performance.now();
      for (;;) {
        if (failure() !== undefined) throw createError("The caller hears nothing because the call failed.");
        const nowMs = performance.now();
        const last = playout.played().findLast(({ frame }) => isAudible(frame));
        const quietSinceMs = Math.max(beganAtMs, last === undefined ? 0 : endMs(last));
        if (nowMs - quietSinceMs >= forMs) return;
        if (nowMs - beganAtMs >= withinMs) {
          throw createError(`The caller still hears the bot after ${withinMs} ms, expected silence for ${forMs} ms.`);
        }
        await sleep(pollMs);
      }
    },
  };
}

const oldSound = "That sound began before the caller last spoke or sent something, or an earlier hears() found it.";

function endMs({ frame, atMs }: PlayedFrame): number {
  return atMs + durationMs(frame);
}

/** Whether two audible frames belong to the same sound. */
function continues(previous: PlayedFrame, next: PlayedFrame, clearedAtMs = Number.NEGATIVE_INFINITY): boolean {
  const isInterrupted = previous.atMs < clearedAtMs && next.atMs >= clearedAtMs;
  return !isInterrupted && next.atMs - endMs(previous) < pauseMs;
}

function isAudible(frame: AudioFrame): boolean {
  return measureLevel(frame) >= audibleDb;
}

/** The last `forMs` of the frames before `end` that began after `sinceMs`; `undefined` if they are shorter, or not one sound. */
function lastPart(
  played: readonly PlayedFrame[],
  end: number,
  sinceMs: number,
  forMs: number,
  isSound: (entry: PlayedFrame) => boolean,
) {
  const frames: AudioFrame[] = [];
  let length = 0;
  let next: PlayedFrame | undefined;
  for (let index = end - 1; index >= 0; index--) {
    const first = played[index];
    if (!first || first.atMs <= sinceMs || !isSound(first)) return undefined;
    if (next && !continues(first, next)) return undefined;
    next = first;
    frames.unshift(first.frame);
    length += durationMs(first.frame);
    if (length >= forMs) {
      const audio = join(frames);
      return { first, frames: frames.length, audio: excerpt(audio, length - forMs, length) };
    }
  }
  return undefined;
}

/** Whether the sound of these frames at `sinceMs` has a pitch, but not `pitchHz`: what follows is another one, even without a pause. */
function hasOtherPitch(sounds: readonly PlayedFrame[], sinceMs: number, pitchHz: number | undefined): boolean {
  if (pitchHz === undefined) return false;
  const sound: PlayedFrame[] = [];
  for (const entry of sounds.filter(({ atMs }) => atMs <= sinceMs).toReversed()) {
    if (sound.length === 10 || (sound[0] && !continues(entry, sound[0]))) break;
    sound.unshift(entry);
  }
  const pitch = sound.length === 0 ? undefined : measurePitch(join(sound.map(({ frame }) => frame)));
  return pitch !== undefined && !isNear(pitch, pitchHz);
}

function isNear(pitch: number, pitchHz: number): boolean {
  return Math.abs(pitch / pitchHz - 1) < 0.01;
}

function isExpected(audio: AudioFrame, { pitchHz, maxDb = 0 }: ExpectedSound): boolean {
  if (measureLevel(audio) > maxDb) return false;
  const pitch = pitchHz === undefined ? undefined : measurePitch(audio);
  return pitchHz === undefined || (pitch !== undefined && isNear(pitch, pitchHz));
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
