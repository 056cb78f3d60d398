import {
  type AudioFrame,
  cut,
  durationMs,
  excerpt,
  findVoice,
  join,
  measureLevel,
  measurePitch,
  measureTone,
} from "@pipecat-ts/audio";
import type { PlayedFrame } from "@pipecat-ts/runner-core/caller";
import type { FakeCaller } from "./adapter.ts";
import { expect } from "./assertions.ts";

/** Writes `audio` in frames of 20 ms at once, without waiting for playout. */
export function write(writer: WritableStreamDefaultWriter<AudioFrame>, audio: AudioFrame): Promise<unknown> {
  return Promise.all(cut(audio).map((frame) => writer.write(frame)));
}

/** The audio that the caller has heard so far. */
export function heardAudio(caller: FakeCaller): AudioFrame {
  return join(caller.playout.played().map(({ frame }) => frame));
}

/** How long the voice in `audio` lasts, from its first sound to its last, in ms. */
export function voiceMs(audio: AudioFrame): number {
  const voice = findVoice(audio);
  return voice ? voice.toMs - voice.fromMs : 0;
}

/** Long enough for `measurePitch`, and short enough that a hole in the audio disturbs few of them. */
const windowMs = 60;
const windowStepMs = 20;
/** Where packets are late, Opus repeats the last period, in whole samples of 48 kHz: 440 Hz become 436.4 Hz. */
const pitchTolerance = 0.02;

/**
 * Throws an AssertionError unless the pitch of `audio` is `hz` within 2 % in a quarter of its windows of 60 ms, and in half of those that
 * have a pitch. Holes, which other requirements measure, change the windows around them.
 */
export function expectPitch(listener: string, audio: AudioFrame, hz: number): void {
  const pitches = steadyWindows(audio).map(measurePitch);
  const measured = pitches.filter((pitch) => pitch !== undefined);
  const right = measured.filter((pitch) => Math.abs(pitch / hz - 1) < pitchTolerance);
  const typical = median(measured);
  const found = typical === undefined ? "no pitch" : `${typical.toFixed(1)} Hz`;
  expect(
    right.length > 0 && right.length * 4 >= pitches.length && right.length * 2 >= measured.length,
    `${listener} heard ${found}, expected ${hz} Hz (${right.length} of ${pitches.length} windows of ${windowMs} ms have it)`,
  );
}

/** Throws an AssertionError unless the level of most windows of 60 ms of the voice in `audio` is `levelDb` within `toleranceDb`. */
export function expectLevel(listener: string, audio: AudioFrame, levelDb: number, toleranceDb: number): void {
  const level = median(steadyWindows(audio).map(measureLevel)) ?? Number.NEGATIVE_INFINITY;
  expect(
    Math.abs(level - levelDb) <= toleranceDb,
    `${listener} heard ${level.toFixed(1)} dBFS, expected ${levelDb} ± ${toleranceDb} dBFS`,
  );
}

/** How many ms of `frames` are a tone of `hz`: louder than −35 dBFS, and louder than each of the `others`. */
export function toneMs(frames: readonly PlayedFrame[], hz: number, ...others: readonly number[]): number {
  return frames.reduce((total, { frame }) => {
    const level = measureTone(frame, hz);
    const isLoudest = level > -35 && others.every((other) => measureTone(frame, other) < level);
    return total + (isLoudest ? durationMs(frame) : 0);
  }, 0);
}

/** The voice in `audio` without the silence around it and without its first and last 40 ms, in overlapping windows of 60 ms. */
function steadyWindows(audio: AudioFrame): AudioFrame[] {
  const voice = findVoice(audio) ?? { fromMs: 0, toMs: 0 };
  const [fromMs, toMs] = [voice.fromMs + 40, voice.toMs - 40];
  const count = Math.max(0, Math.floor((toMs - fromMs - windowMs) / windowStepMs) + 1);
  return Array.from({ length: count }, (_, index) => {
    const startMs = fromMs + index * windowStepMs;
    return excerpt(audio, startMs, startMs + windowMs);
  });
}

function median(values: readonly number[]): number | undefined {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}
