import { monitorEventLoopDelay } from "node:perf_hooks";
import { type AudioFrame, join, measureLevel, measureTone, tone } from "@pipecat-ts/audio";
import type { SessionArguments, Transport, TransportPlugin } from "@pipecat-ts/runner-core";
import { createRunner, type RunnerOptions } from "@pipecat-ts/runner-host";
import type { CallOptions, FakeApi, FakeCarrier, PhoneCall } from "@pipecat-ts/runner-telephony/caller";
import { expect, expectSame, until, within } from "./assertions.ts";
import { connectBot } from "./bots.ts";
import { createRecordingLogger } from "./log.ts";
import { countSettledResources, settleResources } from "./resources.ts";
import { expectLevel, expectPitch, heardAudio, toneMs, voiceMs } from "./speech.ts";

/** What `testPhoneCall` needs. */
export interface PhoneCallCheck {
  readonly plugin: TransportPlugin;
  readonly options: Readonly<Record<string, unknown>>;
  readonly carrier: FakeCarrier;
  /** The carrier's REST API, if it hangs up through one. */
  readonly api?: FakeApi;
  /** Further options of the runner, such as the public URL. */
  readonly runner?: Partial<RunnerOptions>;
  /** How the call is placed. */
  readonly call?: Partial<CallOptions>;
  /** By how many dB the wire may change the level. */
  readonly levelToleranceDb: number;
}

const timeoutMs = 10_000;
const levelDb = -15;
const hz = { greeting: 500, caller: 700, speech: 900, goodbye: 1_100 } as const;
const goodbyeMs = 600;

/**
 * One call over a real server, from the webhook to the hang-up. The caller hears the greeting and an echo at the right pitch
 * and level. A barge-in makes the carrier clear within 5 ms and is silent for the caller within 100 ms (asserted at three
 * times these values, plus the time by which this process was late). Keys reach the bot. The goodbye is played to its end,
 * then the runner hangs up once, the session ends once, and nothing stays open. Throws an AssertionError.
 */
export async function testPhoneCall(check: PhoneCallCheck): Promise<void> {
  const before = await countSettledResources();
  const logger = createRecordingLogger();
  const bots: {
    readonly args: SessionArguments;
    readonly transport: Transport;
    readonly keys: string[];
    finish(): void;
  }[] = [];
  const runner = createRunner({
    async bot(args) {
      const transport = await connectBot(args);
      const keys: string[] = [];
      transport.on("dtmf", (key) => keys.push(key));
      const finished = Promise.withResolvers<void>();
      bots.push({ args, transport, keys, finish: finished.resolve });
      await finished.promise;
      transport.play(once(tone(hz.goodbye, { durationMs: goodbyeMs, sampleRate: 24_000, levelDb })));
    },
    plugins: [check.plugin],
    pluginOptions: { [check.plugin.name]: check.options },
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger,
    ...check.runner,
  });
  await runner.listen();
  try {
    const phone = await check.carrier.call({ at: runner.url, ...check.call });
    await until("the bot starts", () => bots.length === 1, timeoutMs);
    const [bot] = bots;
    expect(bot !== undefined, "the bot did not start");
    expectSame("args.transport", bot.args.transport, check.plugin.name);
    expectSame("callData.callId", bot.args.callData?.callId, phone.callId);

    await greet(phone, bot.transport);
    await echo(phone, bot.transport, check.levelToleranceDb);
    await bargeIn(phone, bot.transport);
    for (const key of ["4", "#"]) phone.press(key);
    await until("the keys reach the bot", () => bot.keys.join("") === "4#", timeoutMs);

    bot.finish();
    await within("the runner hangs up", phone.closed, timeoutMs);
    const goodbye = toneMs(phone.playout.played(), hz.goodbye, hz.speech);
    expect(goodbye >= goodbyeMs - 60, `the caller heard ${goodbye} ms of a goodbye of ${goodbyeMs} ms`);
    await until("the session ends", () => runner.sessions.counts.active === 0, timeoutMs);
    if (check.api) expectHangUp(check.api, phone);
    const ends = logger.lines.filter(({ message }) => message.startsWith("session ended"));
    expectSame("the number of session ends", ends.length, 1);
    expectSame("the carrier's protocol errors", phone.protocolErrors, []);
  } finally {
    await runner.close();
  }
  const left = await settleResources(before, timeoutMs);
  expect(left.length === 0, `still open after the call: ${left.join(", ")}`);
}

async function greet(phone: PhoneCall, transport: Transport): Promise<void> {
  const durationMs = 400;
  const { playedMs } = await transport.play(once(tone(hz.greeting, { durationMs, levelDb }))).done;
  expect(Math.abs(playedMs - durationMs) < 1, `playedMs of a greeting of ${durationMs} ms is ${playedMs}`);
  const ms = voiceMs(heardAudio(phone));
  expect(ms >= durationMs - 60, `the caller had heard ${ms} ms of the greeting when its end was acknowledged`);
}

async function echo(phone: PhoneCall, transport: Transport, toleranceDb: number): Promise<void> {
  const durationMs = 800;
  const echoing = new AbortController();
  // A new reader: earlier audio must not be echoed.
  const piping = transport.listen().pipeTo(transport.output, { preventClose: true, signal: echoing.signal });
  piping.catch(() => undefined); // aborted below
  const { length } = phone.playout.played();
  const echoes = () => phone.playout.played().slice(length);
  await phone.speak(tone(hz.caller, { durationMs, levelDb }));
  await until("the caller hears the echo", () => toneMs(echoes(), hz.caller) >= durationMs - 80, timeoutMs);
  const audio = join(echoes().map(({ frame }) => frame));
  expectPitch("the caller", audio, hz.caller);
  expectLevel("the caller", audio, levelDb, toleranceDb);
  echoing.abort();
  await piping.catch(() => undefined);
}

async function bargeIn(phone: PhoneCall, transport: Transport): Promise<void> {
  // Enabled early, because it does not record its first delay.
  const resolution = 5;
  const lag = monitorEventLoopDelay({ resolution });
  lag.enable();
  const playback = transport.play(once(tone(hz.speech, { durationMs: 5_000, levelDb })));
  const speech = () => phone.playout.played().filter(({ frame }) => isTone(frame, hz.speech));
  await until("the caller hears the bot", () => toneMs(speech(), hz.speech) >= 300, timeoutMs);
  const clears = phone.playout.clears;
  const atMs = performance.now();
  const { playedMs } = transport.interrupt();
  await until("the carrier gets a clear", () => phone.playout.clears > clears, timeoutMs);
  const { interrupted } = await playback.done;
  expect(interrupted, "the playback was not interrupted");
  lag.disable();
  const lagMs = lag.max / 1e6 - resolution;
  const clearMs = (phone.playout.clearedAtMs ?? Number.POSITIVE_INFINITY) - atMs;
  expect(clearMs < 15 + lagMs, `the carrier got a clear ${clearMs.toFixed(1)} ms after the interruption`);
  const lastMs = Math.max(
    ...speech().map((entry) => entry.atMs + (entry.frame.samples.length / entry.frame.sampleRate) * 1000),
  );
  expect(
    lastMs - atMs <= 300 + lagMs,
    `the caller heard the bot for ${Math.round(lastMs - atMs)} ms after the interruption`,
  );
  const heardMs = toneMs(phone.playout.played(), hz.speech);
  expect(Math.abs(playedMs - heardMs) <= 300, `playedMs is ${playedMs}, but the caller heard ${heardMs} ms`);
}

function expectHangUp(api: FakeApi, phone: PhoneCall): void {
  const requests = api.requests.filter(({ path, body }) => `${decodeURIComponent(path)}${body}`.includes(phone.callId));
  expectSame("the number of requests to hang up", requests.length, 1);
  const lastMs = Math.max(...phone.playout.played().map(({ atMs }) => atMs));
  expect((requests[0]?.atMs ?? 0) >= lastMs, "the runner hung up before the caller heard the end of the goodbye");
}

function isTone(frame: AudioFrame, of: number): boolean {
  return measureLevel(frame) > -35 && measureTone(frame, of) > measureLevel(frame) - 3;
}

async function* once(audio: AudioFrame): AsyncGenerator<AudioFrame> {
  yield audio;
}
