import { durationMs } from "@pipecat-ts/audio";
import { collect, createPuppet } from "../bots.ts";
import { findGaps } from "../level.ts";
import type { Requirement } from "../requirement.ts";
import { join, silence, tone } from "../signal.ts";
import { expectLevel, expectPitch, say, voiceMs } from "../speech.ts";
import type { Stage } from "../stage.ts";
import { expect } from "../unmet.ts";
import { firstCall } from "./outcome.ts";

const hz = 440;
const levelDb = -15;
const spokenMs = 400;

/** The caller's voice on its way to the bot. */
export const hearing: readonly Requirement[] = [
  {
    id: "AUDIO-IN-1",
    title: "The caller's voice reaches the bot at its pitch and its level",
    reason: "A wrong rate or gain makes speech recognition fail in ways that look like a bad microphone.",
    async check(stage) {
      const audio = join((await listenIn(stage)).frames);
      expectPitch("the bot", audio, hz);
      expectLevel("the bot", audio, levelDb, stage.adapter.levelToleranceDb ?? 1);
    },
  },
  {
    id: "AUDIO-IN-2",
    title: "The bot gets mono frames of 20 ms at 16,000 Hz, or at the rate it asked for",
    reason: "Voice detectors and recognisers take exactly this and nothing else.",
    async check(stage) {
      const check = async (sampleRate: number, asked?: number) => {
        const { frames } = await listenIn(stage, asked);
        const size = sampleRate / 50;
        const odd = frames.find(
          (frame) => frame.channels !== 1 || frame.sampleRate !== sampleRate || frame.samples.length !== size,
        );
        const seen = `${odd?.samples.length} samples × ${odd?.channels} at ${odd?.sampleRate} Hz`;
        expect(odd === undefined, `instead of ${size} samples at ${sampleRate} Hz the bot got ${seen}`);
      };
      await Promise.all([check(16_000), check(24_000, 24_000)]);
    },
  },
  {
    id: "AUDIO-IN-3",
    title: "The caller's words reach the bot whole: nothing missing, nothing twice",
    reason: "Lost or doubled syllables change what the caller said.",
    async check(stage) {
      const { frames, lateMs } = await listenIn(stage);
      const audio = join(frames);
      const gaps = findGaps(audio);
      expect(gaps.length === 0, `the bot heard silences inside a steady tone: ${JSON.stringify(gaps)}`);
      const ms = voiceMs(audio);
      expect(Math.abs(ms - spokenMs) <= 60 + lateMs, `of ${spokenMs} ms the bot heard ${ms} ms`);
    },
  },
];

/** What the bot hears of a caller who says a tone and then falls silent, up to that silence. */
async function listenIn(stage: Stage, audioInSampleRate?: number) {
  const puppet = createPuppet(audioInSampleRate === undefined ? {} : { audioInSampleRate });
  const caller = await stage.call(await stage.open(puppet.bot));
  const { transport } = await firstCall(stage, puppet);
  const ears = collect(transport.input);
  const { sampleRate } = caller;
  const lateMs = await say(
    caller,
    join([tone(hz, { durationMs: spokenMs, levelDb, sampleRate }), silence({ durationMs: 120, sampleRate })]),
  );
  await stage.until("the bot hears the caller out", () => {
    const audio = join(ears.frames);
    return voiceMs(audio) > 0 && durationMs(audio) >= spokenMs + 60;
  });
  return { frames: ears.frames, lateMs };
}
