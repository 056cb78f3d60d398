import type { AudioFrame } from "@pipecat-ts/audio";
import { connectOf, type SessionArguments, type Transport, type TransportPlugin } from "@pipecat-ts/runner-core";
import { createRunner, type RunnerOptions } from "@pipecat-ts/runner-host";
import { measureLevel, measureTone } from "./level.ts";
import { createRecordingLogger } from "./log.ts";
import { until, within } from "./patience.ts";
import type { FakeApi } from "./phone-api.ts";
import type { CallOptions, PhoneCall } from "./phone-call.ts";
import type { FakeCarrier } from "./phone-carrier.ts";
import { countSettledResources, settleResources } from "./resources.ts";
import { excerpt, tone } from "./signal.ts";
import type { HeardFrame } from "./speaker.ts";
import { expectLevel, expectPitch, heard, toneMs, voiceMs } from "./speech.ts";
import { expect, expectSame } from "./unmet.ts";

/** What a phone's journey is made with. */
export interface PhoneJourney {
  readonly plugin: TransportPlugin;
  readonly options: Readonly<Record<string, unknown>>;
  readonly carrier: FakeCarrier;
  /** Its REST API, where calls are hung up by one. */
  readonly api?: FakeApi;
  /** Runner options beside the plugin: the public URL, for one. */
  readonly runner?: Partial<RunnerOptions>;
  /** How the call is placed. */
  readonly call?: Partial<CallOptions>;
  /** How much louder or quieter the wire may make a sound, in dB. */
  readonly levelToleranceDb: number;
}

const patienceMs = 10_000;
const levelDb = -15;
const hz = { greeting: 500, caller: 700, speech: 900, goodbye: 1_100 } as const;
const goodbyeMs = 600;

/**
 * One call from the webhook to the hang-up, over a real server: the greeting is heard; the caller is echoed at their pitch
 * and level; a barge-in has the carrier clear within 5 ms and silences the bot at the caller's ear within 100 ms (asserted at
 * three times that); keys reach the bot; its goodbye is heard to the end; then the call is hung up once, the session ends once, and nothing is left open.
 * Throws Unmet.
 */
export async function liveThroughCall(journey: PhoneJourney): Promise<void> {
  const before = await countSettledResources();
  const logger = createRecordingLogger();
  const bots: {
    readonly args: SessionArguments;
    readonly transport: Transport;
    readonly keys: string[];
    leave(): void;
  }[] = [];
  const runner = createRunner({
    async bot(args) {
      const transport = await connectOf(args)({});
      const keys: string[] = [];
      transport.on("dtmf", (key) => keys.push(key));
      const left = Promise.withResolvers<void>();
      bots.push({ args, transport, keys, leave: left.resolve });
      await left.promise;
      transport.play(once(tone(hz.goodbye, { durationMs: goodbyeMs, sampleRate: 24_000, levelDb })));
    },
    plugins: [journey.plugin],
    pluginOptions: { [journey.plugin.name]: journey.options },
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger,
    ...journey.runner,
  });
  await runner.listen();
  try {
    const phone = await journey.carrier.call({ at: runner.url, ...journey.call });
    await until("the bot is called", () => bots.length === 1, patienceMs);
    const [bot] = bots;
    expect(bot !== undefined, "there is no bot");
    expectSame("args.transport", bot.args.transport, journey.plugin.name);
    expectSame("callData.callId", bot.args.callData?.callId, phone.callId);

    await greet(phone, bot.transport);
    await echo(phone, bot.transport, journey.levelToleranceDb);
    await bargeIn(phone, bot.transport);
    for (const key of ["4", "#"]) phone.press(key);
    await until("the keys reach the bot", () => bot.keys.join("") === "4#", patienceMs);

    bot.leave();
    await within("the call is hung up on", phone.closed, patienceMs);
    const goodbye = toneMs(phone.speaker.heard(), hz.goodbye, hz.speech);
    expect(goodbye >= goodbyeMs - 60, `of the goodbye of ${goodbyeMs} ms, ${goodbye} ms were heard`);
    await until("the session ends", () => runner.sessions.counts.active === 0, patienceMs);
    if (journey.api) expectHangUp(journey.api, phone);
    const ends = logger.lines.filter(({ message }) => message.startsWith("session ended"));
    expectSame("how often the session ended", ends.length, 1);
    expectSame("what the carrier would not have taken", phone.complaints, []);
  } finally {
    await runner.close();
  }
  const left = await settleResources(before, patienceMs);
  expect(left.length === 0, `there are left open ${left.join(", ")}`);
}

async function greet(phone: PhoneCall, transport: Transport): Promise<void> {
  const durationMs = 400;
  const { playedMs } = await transport.play(once(tone(hz.greeting, { durationMs, levelDb }))).done;
  expect(Math.abs(playedMs - durationMs) < 1, `playedMs of a greeting of ${durationMs} ms is ${playedMs}`);
  const ms = voiceMs(heard(phone));
  expect(ms >= durationMs - 60, `of the greeting ${ms} ms were heard when its end was acknowledged`);
}

async function echo(phone: PhoneCall, transport: Transport, toleranceDb: number): Promise<void> {
  const durationMs = 800;
  const echoing = new AbortController();
  // What the caller said until now is not to be echoed.
  const piping = transport.listen().pipeTo(transport.output, { preventClose: true, signal: echoing.signal });
  piping.catch(() => undefined); // it is aborted below
  const { length } = phone.speaker.heard();
  const echoes = () => phone.speaker.heard().slice(length);
  await phone.say(tone(hz.caller, { durationMs, levelDb }));
  await until("the caller is echoed", () => toneMs(echoes(), hz.caller) >= durationMs - 80, patienceMs);
  const audio = joined(echoes());
  expectPitch("the caller", audio, hz.caller);
  expectLevel("the caller", audio, levelDb, toleranceDb);
  echoing.abort();
  await piping.catch(() => undefined);
}

async function bargeIn(phone: PhoneCall, transport: Transport): Promise<void> {
  const playback = transport.play(once(tone(hz.speech, { durationMs: 5_000, levelDb })));
  const spoken = () => phone.speaker.heard().filter(({ frame }) => isTone(frame, hz.speech));
  await until("the bot is heard", () => toneMs(spoken(), hz.speech) >= 300, patienceMs);
  const clears = phone.speaker.clears;
  const atMs = performance.now();
  const { playedMs } = transport.interrupt();
  await until("the carrier is told to clear", () => phone.speaker.clears > clears, patienceMs);
  const clearMs = (phone.speaker.clearedAtMs ?? Number.POSITIVE_INFINITY) - atMs;
  expect(clearMs < 15, `the carrier was told to clear ${clearMs.toFixed(1)} ms after the interruption`);
  const { interrupted } = await playback.done;
  expect(interrupted, "the speech was not interrupted");
  const lastMs = Math.max(
    ...spoken().map((entry) => entry.atMs + (entry.frame.samples.length / entry.frame.sampleRate) * 1000),
  );
  expect(lastMs - atMs <= 300, `the bot was heard for ${Math.round(lastMs - atMs)} ms after it was interrupted`);
  const heardMs = toneMs(phone.speaker.heard(), hz.speech);
  expect(Math.abs(playedMs - heardMs) <= 300, `playedMs is ${playedMs}, and ${heardMs} ms were heard`);
}

function expectHangUp(api: FakeApi, phone: PhoneCall): void {
  const requests = api.requests.filter(({ path, body }) => `${decodeURIComponent(path)}${body}`.includes(phone.callId));
  expectSame("how often the carrier was told to hang up", requests.length, 1);
  const lastMs = Math.max(...phone.speaker.heard().map(({ atMs }) => atMs));
  expect((requests[0]?.atMs ?? 0) >= lastMs, "the call was hung up before its last word was heard");
}

function isTone(frame: AudioFrame, of: number): boolean {
  return measureLevel(frame) > -35 && measureTone(frame, of) > measureLevel(frame) - 3;
}

function joined(frames: readonly HeardFrame[]): AudioFrame {
  const [first] = frames;
  expect(first !== undefined, "nothing was heard");
  const samples = Int16Array.from(frames.flatMap(({ frame }) => [...frame.samples]));
  return excerpt({ ...first.frame, samples }, 0);
}

async function* once(audio: AudioFrame): AsyncGenerator<AudioFrame> {
  yield audio;
}
