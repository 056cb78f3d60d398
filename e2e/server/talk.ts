import { excerpt, type FakeCaller, join, measurePitch, tone, until } from "@pipecat-ts/runner-testing";
import { expect } from "vitest";
import { toneMs } from "../../packages/runner-testing/src/speech.ts";

/** The pitch of every caller's voice in Hz: whole periods in 20 ms, so that what is lost does not change what is left. */
const voiceHz = 300;
const frameMs = 20;
const patienceMs = 10_000;

/** Has the caller talk, in real time, until what it returns is called. */
export function talk(caller: FakeCaller): () => void {
  const frame = excerpt(
    tone(voiceHz, { durationMs: 3 * frameMs, sampleRate: caller.sampleRate }),
    frameMs,
    2 * frameMs,
  );
  const startMs = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    for (const due = (performance.now() - startMs) / frameMs; sent < due; sent++) caller.sendAudio(frame);
  }, frameMs / 2);
  return () => clearInterval(timer);
}

/** Has the caller talk until their own voice comes back. Fails unless it does, at its pitch. */
export async function talkAndListen(caller: FakeCaller): Promise<void> {
  const stopTalking = talk(caller);
  await hearVoice(caller, 200).finally(stopTalking);
}

/**
 * Waits until more than half of the last `lastMs` that the caller heard is their own voice, at its pitch. Fails when that does
 * not come. Where a packet was late for want of a core the voice has a seam, at which it has no pitch.
 */
export async function hearVoice(caller: FakeCaller, lastMs: number): Promise<void> {
  let pitch = 0;
  const hears = () => {
    if (shareOfVoice(caller, performance.now() - lastMs) <= 0.5) return false;
    const heard = caller.playout.played().slice(-Math.ceil(lastMs / 40));
    pitch = measurePitch(join(heard.map(({ frame }) => frame))) ?? 0;
    return Math.abs(pitch / voiceHz - 1) < 0.01;
  };
  await until("the caller hears their own voice", hears, patienceMs).catch((error) => {
    expect.fail(`${error.message}; its pitch is ${pitch} Hz of ${voiceHz} Hz`);
  });
}

/** How much of the time since `fromMs`, on the scale of `performance.now()`, the caller has heard their own voice: from 0 to 1. */
export function shareOfVoice(caller: FakeCaller, fromMs: number): number {
  const heard = caller.playout.played().filter(({ atMs }) => atMs >= fromMs);
  return toneMs(heard, voiceHz) / (performance.now() - fromMs);
}
