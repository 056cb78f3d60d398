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

/** Throws an AssertionError unless the pitch of `audio` is `hz` within 1 %. */
export function expectPitch(listener: string, audio: AudioFrame, hz: number): void {
  const pitch = measurePitch(steadyPart(audio));
  const found = pitch === undefined ? "no pitch" : `${pitch.toFixed(1)} Hz`;
  expect(pitch !== undefined && Math.abs(pitch / hz - 1) < 0.01, `${listener} heard ${found}, expected ${hz} Hz`);
}

/** Throws an AssertionError unless the level of the voice in `audio` is `levelDb` within `toleranceDb`. */
export function expectLevel(listener: string, audio: AudioFrame, levelDb: number, toleranceDb: number): void {
  const level = measureLevel(steadyPart(audio));
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

/** The voice in `audio` without the silence around it and without its first and last 40 ms. */
function steadyPart(audio: AudioFrame): AudioFrame {
  const voice = findVoice(audio) ?? { fromMs: 0, toMs: 0 };
  return excerpt(audio, voice.fromMs + 40, voice.toMs - 40);
}
