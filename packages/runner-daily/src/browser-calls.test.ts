import { type Bot, createTransport } from "@pipecat-ts/runner-core";
import { createRunner, type Runner } from "@pipecat-ts/runner-host";
import {
  countSettledResources,
  createRecordingLogger,
  cut,
  excerpt,
  findVoice,
  join,
  measurePitch,
  measureTone,
  type RecordingLogger,
  settleResources,
  syllables,
  tone,
  until,
  within,
} from "@pipecat-ts/runner-testing";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import type { DailyEvent } from "./call/daily-call.ts";
import type { DailyTransport } from "./call/daily-transport.ts";
import { createDailyPlugin } from "./plugin.ts";
import { browserProcesses, profiles } from "./test/browser-remains.ts";
import { type BrowserCaller, openBrowserRooms } from "./test/call-machine/browser-rooms.ts";
import { apiKey, refusal } from "./test/daily-api.ts";
import { connectRtviClient } from "./test/rtvi-client.ts";

// Real Chromium, real daily-js, real WebRTC; what Daily's own servers and code do is played by a stand-in.
const rooms = await openBrowserRooms();
const { api, server, engine } = rooms;
const runners: Runner[] = [];
const callers: BrowserCaller[] = [];
afterEach(async () => {
  await Promise.all(callers.splice(0).map((caller) => caller.hangUp()));
  await Promise.all(runners.splice(0).map((runner) => runner.close()));
  await until("no browser is left", () => browserProcesses().length === 0 && profiles().length === 0, 3_000);
});
afterAll(() => rooms[Symbol.asyncDispose]());

const patienceMs = 15_000;

interface Call {
  readonly runner: Runner;
  readonly logger: RecordingLogger;
  readonly transport: DailyTransport;
  readonly room: string;
  readonly reply: Readonly<Record<string, string>>;
}

/** Starts a bot by `POST path`, which stays in its room until the call ends. */
async function start(path = "/start", body: object = { createDailyRoom: true }): Promise<Call> {
  const logger = createRecordingLogger();
  const { promise: connected, resolve, reject } = Promise.withResolvers<DailyTransport>();
  const bot: Bot = async (args) => {
    if (args.transport !== "daily") return;
    try {
      const transport = await createTransport(args, { daily: () => ({ userName: "Tester" }) });
      resolve(transport);
      await transport.closed;
    } catch (error) {
      reject(error);
    }
  };
  const runner = createRunner({
    bot,
    plugins: [createDailyPlugin(() => engine)],
    pluginOptions: { daily: { apiKey, apiUrl: api.url } },
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger,
  });
  runners.push(runner);
  await runner.listen();
  const response = await fetch(new URL(path, runner.url), {
    method: "POST",
    headers: { "content-type": "application/json", connection: "close" },
    body: JSON.stringify(body),
  });
  const reply = (await response.json()) as Record<string, string>;
  const room = String(reply.dailyRoom).split("/").at(-1) ?? "";
  return { runner, logger, room, reply, transport: await within("the bot joins", connected, patienceMs) };
}

async function enter({ reply }: Call, userName = "Caller"): Promise<BrowserCaller> {
  const caller = await rooms.join(String(reply.dailyRoom), String(reply.dailyToken), userName);
  callers.push(caller);
  return caller;
}

/** Says it in real time, a frame each 20 ms. */
async function say(caller: BrowserCaller, audio: ReturnType<typeof tone>): Promise<void> {
  for (const frame of cut(audio)) {
    caller.speak(frame);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const soundOf = (caller: BrowserCaller) => join(caller.speaker.heard().map(({ frame }) => frame));
const told = (transport: DailyTransport, ...names: Parameters<DailyTransport["on"]>[0][]) => {
  const events: unknown[][] = [];
  for (const name of names) transport.on(name, (...values: unknown[]) => void events.push([name, ...values]));
  return events;
};

describe("a call", () => {
  test("both hear each other at their pitch, and know of each other", async () => {
    const call = await start();
    const { transport, room } = call;
    const events = told(
      transport,
      "joined",
      "firstParticipantJoined",
      "participantJoined",
      "clientConnected",
      "callStateUpdated",
    );
    expect(server.names(room)).toEqual(["Tester"]);
    expect(transport.localParticipant?.info).toMatchObject({ isLocal: true, userName: "Tester" });
    const heard: Parameters<typeof join>[0][number][] = [];
    void transport.listen().pipeTo(new WritableStream({ write: (frame) => void heard.push(frame) }));

    const caller = await enter(call, "Ann");
    await until("the caller is connected", () => events.some(([name]) => name === "clientConnected"), patienceMs);
    const [ann] = [...transport.participants.values()];
    expect(ann).toMatchObject({
      info: { userName: "Ann", isLocal: false },
      media: { microphone: "playable", camera: "off" },
    });
    expect(events.map(([name]) => name)).toEqual([
      "joined",
      "callStateUpdated",
      "firstParticipantJoined",
      "participantJoined",
      "clientConnected",
    ]);

    await Promise.all([
      say(caller, tone(440, { durationMs: 1_000 })),
      transport.play(saying(tone(660, { durationMs: 1_000, sampleRate: 24_000 }))).done,
    ]);
    await until("the caller has heard it", () => spokenMs(soundOf(caller)) > 900, patienceMs);
    for (const [sound, hz] of [
      [join(heard), 440],
      [soundOf(caller), 660],
    ] as const) {
      const voice = findVoice(sound);
      expect(measurePitch(excerpt(sound, (voice?.fromMs ?? 0) + 200, (voice?.fromMs ?? 0) + 800))).toBeCloseTo(hz, -1);
    }
    expect(await transport.participantCounts()).toEqual({ present: 0, hidden: 0 }); // the stand-in counts nobody
  });

  test("a word reaches the caller within 150 ms, and an interruption silences the bot within 150 ms", async () => {
    const call = await start();
    const { transport } = call;
    const caller = await enter(call);
    await until("the caller is heard", () => transport.participants.size === 1, patienceMs);
    const latencies: number[] = [];
    for (let n = 0; n < 5; n++) {
      const before = caller.arrivals.length;
      const spokenAt = performance.now();
      await transport.play(saying(syllables(600, { durationMs: 200, sampleRate: 24_000 }))).done;
      await until("the caller hears it", () => loudSince(caller, before).length > 0, patienceMs);
      latencies.push((loudSince(caller, before)[0]?.atMs ?? 0) - spokenAt);
      await until("it has died away", () => isQuiet(caller), patienceMs);
    }
    // 150 ms, three times over, for machines with more to do.
    expect(median(latencies)).toBeLessThan(450);

    const silences: number[] = [];
    for (let n = 0; n < 5; n++) {
      const before = caller.arrivals.length;
      void transport.play(saying(tone(600, { durationMs: 60_000, sampleRate: 24_000 })));
      await until("the caller hears it", () => loudSince(caller, before).length > 50, patienceMs);
      const stoppedAt = performance.now();
      transport.interrupt();
      await until("the caller hears nothing", () => isQuiet(caller), patienceMs);
      silences.push((loudSince(caller, before).at(-1)?.atMs ?? 0) - stoppedAt);
    }
    expect(median(silences)).toBeLessThan(450);
  });

  test("one of several is heard alone, and all of them mixed", async () => {
    const call = await start();
    const [ann, ben] = [await enter(call, "Ann"), await enter(call, "Ben")];
    const { transport } = call;
    await until("both are there", () => transport.participants.size === 2, patienceMs);
    const id = [...transport.participants.values()].find(({ info }) => info.userName === "Ben")?.id ?? "";
    const alone: Parameters<typeof join>[0][number][] = [];
    const mixed: typeof alone = [];
    void transport.listenTo(id).pipeTo(new WritableStream({ write: (frame) => void alone.push(frame) }));
    void transport.listen().pipeTo(new WritableStream({ write: (frame) => void mixed.push(frame) }));
    await Promise.all([say(ann, tone(400, { durationMs: 1_000 })), say(ben, tone(900, { durationMs: 1_000 }))]);
    await until("Ben was heard", () => spokenMs(join(alone)) > 800, patienceMs);
    const middle = (frames: typeof alone) => {
      const sound = join(frames);
      const fromMs = findVoice(sound)?.fromMs ?? 0;
      return excerpt(sound, fromMs + 200, fromMs + 800);
    };
    expect(measurePitch(middle(alone))).toBeCloseTo(900, -1);
    expect(measureTone(middle(alone), 400)).toBeLessThan(-50);
    for (const hz of [400, 900]) expect(measureTone(middle(mixed), hz)).toBeGreaterThan(-30);

    await ann.hangUp();
    await until("one is left", () => transport.participants.size === 1, patienceMs);
    const { counts } = call.runner.sessions;
    expect(counts.active).toBe(1);
  });
});

describe("messages", () => {
  test("travel both ways, to all and to one, and a real RTVI client gets ready", async () => {
    const call = await start();
    const { transport } = call;
    const messages = told(transport, "appMessage");
    const [ann, ben] = [await enter(call, "Ann"), await enter(call, "Ben")];
    await until("both are there", () => transport.participants.size === 2, patienceMs);
    const ids = [...transport.participants.values()];
    const idOf = (name: string) => ids.find(({ info }) => info.userName === name)?.id ?? "";
    ann.sendMessage({ from: "Ann" });
    await until("it comes", () => messages.length > 0, patienceMs);
    expect(messages).toEqual([["appMessage", { from: "Ann" }, idOf("Ann")]]);
    await transport.sendMessage({ to: "all" });
    await transport.sendMessageTo(idOf("Ben"), { to: "Ben" });
    await until("they come", () => ben.messages.length >= 3 && ann.messages.length >= 1, patienceMs);
    expect(ann.messages).toEqual([{ to: "all" }]);
    expect(ben.messages).toEqual([{ from: "Ann" }, { to: "all" }, { to: "Ben" }]);

    const ready = await within("the client is ready", connectRtviClient(ann), patienceMs);
    expect(ready).toMatchObject({ version: "2.1.0", about: { library: "pipecat-runner" } });
  });

  test("that are too long for the room are refused, and harm nothing", async () => {
    const call = await start();
    await enter(call);
    await expect(call.transport.sendMessage({ text: "x".repeat(5_000) })).rejects.toMatchObject({
      code: "MESSAGE_TOO_LARGE",
      message: expect.stringContaining("4096"),
    });
    await expect(call.transport.sendMessage(undefined)).rejects.toThrow("JSON cannot say undefined");
    await call.transport.sendMessage({ text: "x".repeat(4_000) });
  });
});

describe("phones", () => {
  const dialin = { From: "+15551234567", To: "+15559876543", callId: "call-7", callDomain: "domain-7" };

  test("a call on hold is sent to the room when its address is ready, once, and its keys reach the bot", async () => {
    const { transport, room } = await start("/daily-dialin-webhook", dialin);
    const events = told(transport, "dialinReady", "dialinConnected", "dtmf", "dialinStopped");
    for (const index of [0, 1]) {
      server.announce(room, { action: "dialin-ready", sipEndpoint: `sip:${room}.${index}@test`, provider: "daily" });
    }
    await until("both are told", () => events.length === 2, patienceMs);
    expect(api.pinlessUpdates).toEqual([{ callId: "call-7", callDomain: "domain-7", sipUri: `sip:${room}.0@test` }]);
    server.announce(room, { action: "dialin-connected", sessionId: "s1", sipFrom: "+15551234567" });
    server.announce(room, { action: "dtmf-event", tone: "5", sessionId: "s1", method: "auto" });
    server.announce(room, { action: "dialin-stopped", sessionId: "s1" });
    await until("all is told", () => events.length === 5, patienceMs);
    expect(events.slice(2).map(([name, value]) => [name, (value as DailyEvent).sessionId ?? value])).toEqual([
      ["dialinConnected", "s1"],
      ["dtmf", "5"],
      ["dialinStopped", "s1"],
    ]);
    await transport.sendDtmf("12#", { method: "telephone-event" });
    expect(server.asked.at(-1)).toEqual({
      action: "send-dtmf",
      fields: { sessionId: "s1", tones: "12#", method: "telephone-event", digitDurationMs: 500 },
    });
  });

  test("a call that cannot be sent is told to the bot, without its number in the log", async () => {
    api.failNext("POST /dialin/pinlessCallUpdate", refusal(400, "invalid-request-error", "no call of +15551234567"));
    const { transport, room, logger } = await start("/daily-dialin-webhook", { ...dialin, callId: "call-8" });
    const events = told(transport, "dialinError", "error", "dialinReady");
    server.announce(room, { action: "dialin-ready", sipEndpoint: "sip:x@test", provider: "daily" });
    await until("it is told", () => events.length === 2, patienceMs);
    expect(events).toMatchObject([
      ["dialinError", { sipEndpoint: "sip:x@test" }],
      ["error", { code: "DAILY_REFUSED" }],
    ]);
    expect(JSON.stringify(logger.lines)).not.toContain("15551234567");
  });

  test("dial-out, transfer and refer reach Daily, and its refusals the bot", async () => {
    const { transport, room } = await start();
    const events = told(transport, "dialoutAnswered", "dialoutError");
    server.answer(({ action, fields }) => {
      if (action === "dialout-start")
        return fields.phoneNumber === "+1" ? { error: "not enabled" } : { session: { sessionId: "out-1" } };
      return {};
    });
    expect(await transport.startDialout({ phoneNumber: "+15550001111", displayName: "Ann" })).toBe("out-1");
    server.announce(room, { action: "dialout-answered", sessionId: "out-1" });
    await until("it is answered", () => events.length === 1, patienceMs);
    await transport.sipCallTransfer({ toEndPoint: "sip:desk@example.com" });
    await transport.sipRefer({ toEndPoint: "sip:desk@example.com" });
    await transport.stopDialout();
    expect(server.asked.slice(-4).map(({ action, fields }) => [action, fields.sessionId, fields.useSipRefer])).toEqual([
      ["dialout-start", undefined, undefined],
      ["sip-call-transfer", "out-1", false],
      ["sip-call-transfer", "out-1", true],
      ["dialout-stop", "out-1", undefined],
    ]);
    await expect(transport.startDialout({ phoneNumber: "+1" })).rejects.toMatchObject({ code: "DAILY_CALL_FAILED" });
    await until("it is told, too", () => events.length === 2, patienceMs);
    expect(events[1]).toMatchObject(["dialoutError", { action: "dialout-error" }]);
    await expect(transport.sendDtmf("nonsense")).rejects.toThrow("n is not valid DTMF tone");
  });
});

describe("the rest of a room", () => {
  test("recording and transcription are answered by Daily's events", async () => {
    const { transport } = await start();
    const answers: Record<string, DailyEvent> = {
      "local-recording-start": { action: "recording-started", recordingId: "r", instanceId: "i" },
      "local-recording-stop": { action: "recording-stopped", instanceId: "i" },
      "daily-method-start-transcription": { action: "transcription-error", errorMsg: "no key" },
      "daily-method-stop-transcription": { action: "transcription-stopped", instanceId: "i" },
    };
    server.answer(({ action }) => answers[action]);
    expect(await transport.startRecording({ type: "cloud" })).toMatchObject({ recordingId: "r" });
    expect(await transport.stopRecording()).toMatchObject({ action: "recording-stopped" });
    await expect(transport.startTranscription({ language: "en" })).rejects.toThrow("no key");
    expect(await transport.stopTranscription()).toMatchObject({ action: "transcription-stopped" });
    server.answer(() => undefined);
  });

  test("somebody is ejected; what daily-js cannot do says so", async () => {
    const call = await start();
    const caller = await enter(call);
    const [ann] = [...call.transport.participants.keys()];
    await call.transport.eject(String(ann));
    await within("they are out", caller.closed, patienceMs);
    expect(caller.events.at(-1)).toMatchObject({ action: "error", error: { type: "ejected" } });
    for (const attempt of [
      () => call.transport.captureParticipantVideo("x"),
      () => call.transport.setLogLevel("debug"),
      () => call.transport.sendPrebuiltChatMessage("x"),
    ]) {
      await expect(attempt()).rejects.toMatchObject({ code: "DAILY_UNSUPPORTED", status: 501 });
    }
  });
});

describe("the end", () => {
  test("a browser that is killed in a call is an error, and the session's end", async () => {
    const call = await start();
    const events = told(call.transport, "error", "clientDisconnected", "left");
    const [session] = call.runner.sessions;
    process.kill(Number(browserProcesses()[0]?.pid), "SIGKILL");
    expect(await within("the session ends", session?.ended ?? Promise.reject(), patienceMs)).toBe("transport-failed");
    expect(await call.transport.closed).toBe("transport-failed");
    expect(events).toMatchObject([
      ["error", { code: "DAILY_BROWSER_CRASHED" }],
      ["clientDisconnected", "transport-failed"],
      ["left"],
    ]);
  });

  test("a room that ends is an error, and the session's end", async () => {
    const call = await start();
    const events = told(call.transport, "error", "left");
    server.end(call.room);
    expect(await within("the call ends", call.transport.closed, patienceMs)).toBe("transport-failed");
    expect(events).toMatchObject([["error", { code: "DAILY_CALL_LOST" }], ["left"]]);
  });

  test("a room that the bot is not let into fails createTransport, by code", async () => {
    api.failNext("POST /meeting-tokens", { status: 200, body: { token: "x.eyJyb29tX25hbWUiOiJvdGhlciJ9.y" } });
    await expect(start()).rejects.toMatchObject({
      code: "DAILY_JOIN_REFUSED",
      message: expect.stringContaining("not-allowed"),
    });
  });

  test("20 sessions leave no process, no profile and nothing open, however they end", {
    timeout: 240_000,
  }, async () => {
    await (await start()).runner.close();
    const before = await countSettledResources();
    for (let round = 0; round < 10; round++) {
      const pair = await Promise.all([start(), start()]);
      const [one, other] = pair;
      if (round % 3 === 0) await one?.transport.close();
      else if (round % 3 === 1) process.kill(Number(browserProcesses()[0]?.pid), "SIGKILL");
      const closing = pair.map(({ runner }) => runner.close());
      await Promise.all(closing);
      expect(profiles()).toEqual([]);
      expect(other?.runner.sessions.counts).toEqual({ pending: 0, active: 0 });
    }
    await until("no process is left", () => browserProcesses().length === 0, 3_000);
    expect(await settleResources(before, 10_000)).toEqual([]);
  });
});

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function spokenMs(sound: ReturnType<typeof tone>): number {
  const voice = findVoice(sound);
  return voice ? voice.toMs - voice.fromMs : 0;
}

/** The loud frames that came to the caller, of those after the first `skipped`. */
function loudSince(caller: BrowserCaller, skipped: number) {
  return caller.arrivals.slice(skipped).filter(({ frame }) => isLoud(frame.samples));
}

/** Whether the last 300 ms that came to the caller were silent: frames are of 10 ms. */
function isQuiet(caller: BrowserCaller): boolean {
  return !caller.arrivals.slice(-30).some(({ frame }) => isLoud(frame.samples));
}

function isLoud(samples: Int16Array): boolean {
  return samples.some((sample) => Math.abs(sample) > 1_000);
}

async function* saying(sound: ReturnType<typeof tone>) {
  yield sound;
}
