import { setTimeout as sleep } from "node:timers/promises";
import { durationMs, findGaps, findVoice, join, silence, tone } from "@pipecat-ts/audio";
import { speak } from "@pipecat-ts/runner-core/caller";
import { expect } from "../assertions.ts";
import { collect, connectBot, createScriptedBot } from "../bots.ts";
import { type Fixture, firstCall, type Requirement } from "../fixture.ts";
import { expectLevel, expectPitch, heardAudio, voiceMs, write } from "../speech.ts";

const hz = 440;
const levelDb = -15;
const speechMs = 400;

/** Audio in both directions. */
export const audio: readonly Requirement[] = [
  {
    id: "AUDIO-IN-1",
    title: "The caller's audio reaches the bot at the right pitch and level",
    reason: "A wrong rate or gain breaks speech recognition, and looks like a bad microphone.",
    async check(fixture) {
      const audio = join((await hearCaller(fixture)).frames);
      expectPitch("the bot", audio, hz);
      expectLevel("the bot", audio, levelDb, fixture.adapter.levelToleranceDb ?? 1);
    },
  },
  {
    id: "AUDIO-IN-2",
    title: "The bot gets mono frames of 20 ms at 16,000 Hz, or at the rate it requested",
    reason: "Voice activity detectors and recognizers accept nothing else.",
    async check(fixture) {
      const check = async (sampleRate: number, requested?: number) => {
        const { frames } = await hearCaller(fixture, requested);
        const size = sampleRate / 50;
        const odd = frames.find(
          (frame) => frame.channels !== 1 || frame.sampleRate !== sampleRate || frame.samples.length !== size,
        );
        const found = `${odd?.samples.length} samples × ${odd?.channels} at ${odd?.sampleRate} Hz`;
        expect(odd === undefined, `the bot got ${found}, expected ${size} samples at ${sampleRate} Hz`);
      };
      // One after the other: a caller may be a whole browser.
      await check(16_000);
      await check(24_000, 24_000);
    },
  },
  {
    id: "AUDIO-IN-3",
    title: "The caller's speech reaches the bot complete: nothing is lost or repeated",
    reason: "Lost or repeated syllables change what the caller said.",
    async check(fixture) {
      const { frames, lateMs } = await hearCaller(fixture);
      const audio = join(frames);
      const gaps = findGaps(audio);
      const ms = voiceMs(audio);
      // On a busy machine, the pauses of a caller who sends late are not a fault of the transport.
      const pausesMs = Math.min(lateMs, Math.max(0, ms - speechMs));
      const lostMs = gaps.reduce((sum, { durationMs }) => sum + durationMs, -pausesMs);
      expect(lostMs < 10, `the bot heard gaps in a steady tone: ${JSON.stringify(gaps)}`);
      expect(Math.abs(ms - speechMs) <= 60 + lateMs, `the bot heard ${ms} ms of ${speechMs} ms`);
    },
  },
  {
    id: "AUDIO-IN-4",
    title: "What the caller says before the bot connects reaches the bot",
    reason: "Callers say hello at once, while the bot still loads its models.",
    exempts: ({ startsBot }) => (startsBot ? "its bot connects before the caller" : undefined),
    async check(fixture) {
      const release = Promise.withResolvers<void>();
      const frames: ReturnType<typeof collect>["frames"][] = [];
      const runner = await fixture.open(async (args) => {
        await release.promise;
        const transport = await connectBot(args);
        const input = collect(transport.input);
        frames.push(input.frames);
        await input.ended;
      });
      const caller = await fixture.call(runner);
      const { sampleRate } = caller;
      const lateMs = await speak(
        caller,
        join([tone(hz, { durationMs: 200, levelDb, sampleRate }), silence({ durationMs: 60, sampleRate })]),
      );
      release.resolve();
      const pause = silence({ durationMs: 20, sampleRate });
      const isComplete = () => {
        caller.sendAudio(pause);
        return voiceMs(join(frames[0] ?? [])) >= 140 && durationMs(join(frames[0] ?? [])) >= 240;
      };
      await fixture.until("the bot hears 140 ms of the 200 ms that came before it connected", isComplete, lateMs);
      expectPitch("the bot", join(frames[0] ?? []), hz);
    },
  },
  {
    id: "AUDIO-OUT-1",
    title: "The bot's audio reaches the caller at the right pitch and level, whatever rate the bot writes",
    reason: "A wrong rate makes the bot sound like a chipmunk, and a wrong gain makes it distorted or inaudible.",
    async check(fixture) {
      // One after the other: a caller may be a whole browser.
      for (const sampleRate of [24_000, 16_000]) {
        const audio = await hearBot(fixture, sampleRate);
        expectPitch("the caller", audio, hz);
        expectLevel("the caller", audio, levelDb, fixture.adapter.levelToleranceDb ?? 1);
      }
    },
  },
  {
    id: "AUDIO-OUT-2",
    title: "The bot's speech reaches the caller complete: nothing is lost or repeated",
    reason: "Clicks and missing syllables are the first thing callers complain about.",
    async check(fixture) {
      const audio = await hearBot(fixture, 24_000);
      const gaps = findGaps(audio);
      expect(gaps.length === 0, `the caller heard gaps in a steady tone: ${JSON.stringify(gaps)}`);
      const ms = voiceMs(audio);
      expect(Math.abs(ms - speechMs) <= 60, `the caller heard ${ms} ms of ${speechMs} ms`);
    },
  },
  {
    id: "AUDIO-OUT-3",
    title: "The bot's audio is sent in real time, at most 1 s ahead",
    reason: "Sent audio cannot be taken back: a far end that cannot clear plays on after an interruption.",
    async check(fixture) {
      const scripted = createScriptedBot();
      const caller = await fixture.call(await fixture.open(scripted.bot));
      const { transport } = await firstCall(fixture, scripted);
      void write(transport.output.getWriter(), tone(hz, { durationMs: 3_000, levelDb }));
      let mostMs = 0;
      const isEnough = () => {
        const heardMs = durationMs(heardAudio(caller));
        mostMs = Math.max(mostMs, caller.playout.enqueuedMs - heardMs);
        return heardMs >= 1_000;
      };
      await fixture.until("the caller hears 1 s of the bot", isEnough, 1_000);
      expect(mostMs <= 1_000, `${mostMs} ms were sent ahead of playout`);
    },
  },
];

/** What the bot hears of a caller who speaks a tone and then is silent. */
async function hearCaller(fixture: Fixture, audioInSampleRate?: number) {
  const scripted = createScriptedBot(audioInSampleRate === undefined ? {} : { audioInSampleRate });
  const caller = await fixture.call(await fixture.open(scripted.bot));
  const { transport } = await firstCall(fixture, scripted);
  const { frames } = collect(transport.input);
  const { sampleRate } = caller;
  const lateMs = await speak(
    caller,
    join([tone(hz, { durationMs: speechMs, levelDb, sampleRate }), silence({ durationMs: 200, sampleRate })]),
  );
  await fixture.until("the bot hears the caller to the end", () => {
    const audio = join(frames);
    const voice = findVoice(audio);
    return voice !== undefined && durationMs(audio) - voice.toMs >= 100;
  });
  return { frames, lateMs };
}

/** What the caller hears of a bot that speaks a tone, in one write, and then is silent. */
async function hearBot(fixture: Fixture, sampleRate: number) {
  const scripted = createScriptedBot();
  const caller = await fixture.call(await fixture.open(scripted.bot));
  const { transport } = await firstCall(fixture, scripted);
  const stopped = new Promise<void>((resolve) => transport.on("botStoppedSpeaking", resolve));
  const written = transport.output.getWriter().write(tone(hz, { durationMs: speechMs, levelDb, sampleRate }));
  await fixture.within("the bot's write settles", written, speechMs);
  await fixture.within("botStoppedSpeaking is emitted", stopped, speechMs);
  await fixture.until(
    "the caller hears the bot to the end",
    () => voiceMs(heardAudio(caller)) >= speechMs - 60,
    speechMs,
  );
  // Everything was sent, so that a repeated end is heard by then.
  await sleep(200);
  return heardAudio(caller);
}
