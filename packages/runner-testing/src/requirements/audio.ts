import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { type AudioFrame, durationMs, findVoice, join, silence, tone } from "@pipecat-ts/audio";
import { speak } from "@pipecat-ts/runner-core/caller";
import type { FakeCaller, TransportAdapter } from "../adapter.ts";
import { expect } from "../assertions.ts";
import { collect, connectBot, createScriptedBot, type ScriptedCall } from "../bots.ts";
import { createSpeech, expectComplete, type Tolerance } from "../completeness.ts";
import { type Fixture, firstCall, type Requirement } from "../fixture.ts";
import { expectLevel, expectPitch, heardAudio, voiceMs, write } from "../speech.ts";

const hz = 440;
const levelDb = -15;
const speechMs = 400;
/** Speech that must be complete. `jitterMs`: how much of it a jitter buffer may drop, and how much it may repeat. */
const short = { spokenMs: 1_000, jitterMs: 60 };
const long = { spokenMs: 5_500, jitterMs: 160 };
/** Speech that continues later than this was lost. */
const quietMs = 1_000;
const nothingLost = ({ spokenMs, jitterMs }: typeof short) =>
  `nothing is lost or repeated, or at most ${jitterMs} of ${spokenMs} ms with a jitter buffer`;

/** Audio in both directions. */
export const audio: readonly Requirement[] = [
  {
    id: "AUDIO-IN-1",
    title: "The caller's audio reaches the bot at the right pitch and level",
    reason: "A wrong rate or gain breaks speech recognition, and looks like a bad microphone.",
    async check(fixture) {
      const audio = join(await hearCaller(fixture));
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
        const frames = await hearCaller(fixture, requested);
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
    title: `The caller's speech reaches the bot complete: ${nothingLost(short)}`,
    reason: "Lost or repeated syllables change what the caller said.",
    async check(fixture) {
      const { caller, call } = await connect(fixture);
      const speech = createSpeech(short.spokenMs, caller.sampleRate, levelDb);
      const { audio, lateMs } = await listenToCaller(caller, call, speech);
      expectComplete("bot", audio, short.spokenMs, toleranceOf(fixture.adapter, short, lateMs));
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
    title: `The bot's speech reaches the caller complete: ${nothingLost(short)}`,
    reason: "Clicks and missing syllables are the first thing callers complain about.",
    async check(fixture) {
      const { caller, call } = await connect(fixture);
      const { audio, lateMs } = await listenToBot(fixture, caller, call, createSpeech(short.spokenMs, 24_000, levelDb));
      expectComplete("caller", audio, short.spokenMs, toleranceOf(fixture.adapter, short, lateMs));
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
  {
    id: "AUDIO-BOTH-1",
    title: `In a call of ${long.spokenMs / 1_000} s, both directions stay complete at the same time: ${nothingLost(long)}`,
    reason: "Calls last minutes: a transport that stops or stalls after some seconds passes every shorter check.",
    turn: "first",
    async check(fixture) {
      const { caller, call } = await connect(fixture);
      const [toBot, toCaller] = await Promise.all([
        listenToCaller(caller, call, createSpeech(long.spokenMs, caller.sampleRate, levelDb)),
        listenToBot(fixture, caller, call, createSpeech(long.spokenMs, 24_000, levelDb)),
      ]);
      expectComplete("bot", toBot.audio, long.spokenMs, toleranceOf(fixture.adapter, long, toBot.lateMs));
      expectComplete("caller", toCaller.audio, long.spokenMs, toleranceOf(fixture.adapter, long, toCaller.lateMs));
    },
  },
];

/** What a listener may miss. On a busy machine, the pauses of a late speaker are not a fault of the transport. */
function toleranceOf(
  { jitterBuffer = false }: TransportAdapter,
  { jitterMs }: typeof short,
  lateMs: number,
): Tolerance {
  return {
    changedMs: jitterBuffer ? jitterMs + lateMs : 0,
    pauseMs: (jitterBuffer ? jitterMs : 10) + lateMs,
  };
}

async function connect(fixture: Fixture, audioInSampleRate?: number) {
  const scripted = createScriptedBot(audioInSampleRate === undefined ? {} : { audioInSampleRate });
  const caller = await fixture.call(await fixture.open(scripted.bot));
  return { caller, call: await firstCall(fixture, scripted) };
}

/** What a listener heard. */
interface Heard {
  readonly audio: AudioFrame;
  /** By how much speaker or listener were late, because the machine is busy, in ms. */
  readonly lateMs: number;
}

/** What the bot hears of a caller who says `speech` and then is silent. */
async function listenToCaller(
  { sampleRate, sendAudio }: FakeCaller,
  { transport }: ScriptedCall,
  speech: AudioFrame,
): Promise<Heard & { readonly frames: readonly AudioFrame[] }> {
  const { frames } = collect(transport.input);
  const lateMs = await speak({ sendAudio }, join([speech, silence({ durationMs: 200, sampleRate })]));
  await heardToEnd(durationMs(speech), () => join(frames));
  return { frames, audio: join(frames), lateMs };
}

/** What the caller hears of a bot that says `speech`, in one write, and then is silent. */
async function listenToBot(
  fixture: Fixture,
  caller: FakeCaller,
  { transport }: ScriptedCall,
  speech: AudioFrame,
): Promise<Heard> {
  const spokenMs = durationMs(speech);
  const lag = monitorEventLoopDelay({ resolution: 5 });
  lag.enable();
  const stopped = new Promise<void>((resolve) => transport.on("botStoppedSpeaking", resolve));
  await fixture.within("the bot's write settles", transport.output.getWriter().write(speech), spokenMs);
  await fixture.within("botStoppedSpeaking is emitted", stopped, spokenMs);
  await heardToEnd(spokenMs, () => heardAudio(caller));
  lag.disable();
  return { audio: heardAudio(caller), lateMs: lag.max / 1e6 };
}

/** Waits until all speech was heard, and any repetition of its end, or nothing more of it for 1 s. */
async function heardToEnd(spokenMs: number, heard: () => AudioFrame): Promise<void> {
  let endMs = 0;
  let grewAtMs = performance.now();
  for (;;) {
    const { fromMs, toMs } = findVoice(heard()) ?? { fromMs: 0, toMs: 0 };
    if (toMs > endMs) grewAtMs = performance.now();
    endMs = Math.max(endMs, toMs);
    const isComplete = toMs - fromMs >= spokenMs - 20;
    if (performance.now() - grewAtMs >= (isComplete ? 200 : quietMs)) return;
    await sleep(20);
  }
}

/** What the bot hears of a caller who speaks a tone. */
async function hearCaller(fixture: Fixture, audioInSampleRate?: number): Promise<readonly AudioFrame[]> {
  const { caller, call } = await connect(fixture, audioInSampleRate);
  const { sampleRate } = caller;
  return (await listenToCaller(caller, call, tone(hz, { durationMs: speechMs, levelDb, sampleRate }))).frames;
}

/** What the caller hears of a bot that speaks a tone. */
async function hearBot(fixture: Fixture, sampleRate: number): Promise<AudioFrame> {
  const { caller, call } = await connect(fixture);
  return (await listenToBot(fixture, caller, call, tone(hz, { durationMs: speechMs, levelDb, sampleRate }))).audio;
}
