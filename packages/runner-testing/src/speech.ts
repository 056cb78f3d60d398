import { setTimeout as sleep } from "node:timers/promises";
import { type AudioFrame, durationMs } from "@pipecat-ts/audio";
import type { FakeCaller } from "./adapter.ts";
import { findVoice, measureLevel, measureTone } from "./level.ts";
import { measurePitch } from "./pitch.ts";
import { cut, excerpt, join } from "./signal.ts";
import type { HeardFrame } from "./speaker.ts";
import { expect } from "./unmet.ts";

/**
 * Has the caller say `audio` in real time, 20 ms at a time; its rate must be the caller's. On a machine that was late it
 * goes on later rather than all at once, which nobody would have to listen to. Resolves with how late it was at the worst, in
 * ms: so much longer may the words be for who plays them as they come.
 */
export async function say(caller: FakeCaller, audio: AudioFrame): Promise<number> {
  let dueMs = performance.now();
  let worstMs = 0;
  for (const frame of cut(audio)) {
    const aheadMs = dueMs - performance.now();
    if (aheadMs > 0) await sleep(aheadMs);
    worstMs = Math.max(worstMs, performance.now() - dueMs);
    caller.speak(frame);
    dueMs = Math.max(dueMs, performance.now() - 60) + 20;
  }
  return worstMs;
}

/** Has the bot write `audio`, 20 ms at a time, without waiting for it to be played. */
export function write(writer: WritableStreamDefaultWriter<AudioFrame>, audio: AudioFrame): Promise<unknown> {
  return Promise.all(cut(audio).map((frame) => writer.write(frame)));
}

/** What the caller has heard so far, in one piece. */
export function heard(caller: FakeCaller): AudioFrame {
  return join(caller.speaker.heard().map(({ frame }) => frame));
}

/** How long the voice in `audio` lasts, from its first sound to its last, in ms. */
export function voiceMs(audio: AudioFrame): number {
  const voice = findVoice(audio);
  return voice ? voice.toMs - voice.fromMs : 0;
}

/** The voice in `audio` without the silence around it and without its edges. */
export function voiceOf(audio: AudioFrame): AudioFrame {
  const voice = findVoice(audio) ?? { fromMs: 0, toMs: 0 };
  return excerpt(audio, voice.fromMs + 40, voice.toMs - 40);
}

/** Throws Unmet unless the pitch in `audio` is `hz` to 1 %. */
export function expectPitch(who: string, audio: AudioFrame, hz: number): void {
  const pitch = measurePitch(voiceOf(audio));
  const seen = pitch === undefined ? "no pitch" : `${pitch.toFixed(1)} Hz`;
  expect(pitch !== undefined && Math.abs(pitch / hz - 1) < 0.01, `${who} heard ${seen}, not ${hz} Hz`);
}

/** Throws Unmet unless the voice in `audio` is as loud as `levelDb`, to `toleranceDb`. */
export function expectLevel(who: string, audio: AudioFrame, levelDb: number, toleranceDb: number): void {
  const level = measureLevel(voiceOf(audio));
  expect(
    Math.abs(level - levelDb) <= toleranceDb,
    `${who} heard ${level.toFixed(1)} dBFS, not ${levelDb} ± ${toleranceDb} dB`,
  );
}

/** How much of `frames` is a tone of `hz`, in ms: those in which it is louder than −35 dBFS and than every one of `others`. */
export function toneMs(frames: readonly HeardFrame[], hz: number, ...others: readonly number[]): number {
  return frames.reduce((total, { frame }) => {
    const level = measureTone(frame, hz);
    const loudest = level > -35 && others.every((other) => measureTone(frame, other) < level);
    return total + (loudest ? durationMs(frame) : 0);
  }, 0);
}
