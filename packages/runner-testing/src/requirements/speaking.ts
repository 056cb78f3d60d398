import { durationMs } from "@pipecat-ts/audio";
import { createPuppet } from "../bots.ts";
import { findGaps } from "../level.ts";
import type { Requirement } from "../requirement.ts";
import { tone } from "../signal.ts";
import { expectLevel, expectPitch, heard, voiceMs, write } from "../speech.ts";
import type { Stage } from "../stage.ts";
import { expect } from "../unmet.ts";
import { firstCall } from "./outcome.ts";

const hz = 440;
const levelDb = -15;
const spokenMs = 400;

/** The bot's voice on its way to the caller. */
export const speaking: readonly Requirement[] = [
  {
    id: "AUDIO-OUT-1",
    title: "The bot's voice reaches the caller at its pitch and its level, whatever rate the bot writes",
    reason: "A wrong rate makes the bot a chipmunk; a wrong gain makes it hoarse or mute.",
    async check(stage) {
      for (const { audio } of await Promise.all([speak(stage, 24_000), speak(stage, 16_000)])) {
        expectPitch("the caller", audio, hz);
        expectLevel("the caller", audio, levelDb, stage.adapter.levelToleranceDb ?? 1);
      }
    },
  },
  {
    id: "AUDIO-OUT-2",
    title: "The bot's words reach the caller whole: nothing missing, nothing twice",
    reason: "Clicks and swallowed syllables are what callers complain about first.",
    async check(stage) {
      const { audio } = await speak(stage, 24_000);
      const gaps = findGaps(audio);
      expect(gaps.length === 0, `the caller heard silences inside a steady tone: ${JSON.stringify(gaps)}`);
      const ms = voiceMs(audio);
      expect(Math.abs(ms - spokenMs) <= 60, `of ${spokenMs} ms the caller heard ${ms} ms`);
    },
  },
  {
    id: "AUDIO-OUT-3",
    title: "The bot's voice is sent in real time, at most a second ahead of it",
    reason: "What is sent cannot be taken back: far ends without a clear go on talking after an interruption.",
    async check(stage) {
      const puppet = createPuppet();
      const caller = await stage.call(await stage.open(puppet.bot));
      const { transport } = await firstCall(stage, puppet);
      void write(transport.output.getWriter(), tone(hz, { durationMs: 3_000, levelDb }));
      let mostMs = 0;
      const isEnough = () => {
        const heardMs = durationMs(heard(caller));
        mostMs = Math.max(mostMs, caller.speaker.takenMs - heardMs);
        return heardMs >= 1_000;
      };
      await stage.until("the caller hears the bot for a second", isEnough, 1_000);
      expect(mostMs <= 1_000, `${mostMs} ms had been sent that were not yet to sound`);
    },
  },
];

/** What the caller hears of a bot that says one tone, in one write, and then falls silent. */
async function speak(stage: Stage, sampleRate: number) {
  const puppet = createPuppet();
  const caller = await stage.call(await stage.open(puppet.bot));
  const { transport } = await firstCall(stage, puppet);
  const stopped = new Promise<void>((resolve) => transport.on("botStoppedSpeaking", resolve));
  const written = transport.output.getWriter().write(tone(hz, { durationMs: spokenMs, levelDb, sampleRate }));
  await stage.within("the bot's write is taken", written, spokenMs);
  await stage.within("botStoppedSpeaking comes", stopped, spokenMs);
  await stage.until("the caller hears the bot out", () => voiceMs(heard(caller)) >= spokenMs - 60, spokenMs);
  return { audio: heard(caller) };
}
