import { setTimeout as sleep } from "node:timers/promises";
import type { AudioFrame } from "@pipecat-ts/audio";
import {
  cut,
  excerpt,
  findVoice,
  join,
  measurePitch,
  measureTone,
  syllables,
  tone,
  until,
} from "@pipecat-ts/runner-testing";
import { expect, test } from "vitest";
import { timeoutMs, useBrowserCalls } from "./test/browser-calls.ts";
import type { BrowserCaller } from "./test/browser-rooms.ts";
import { recordEvents } from "./test/fake-rooms.ts";

const { server, start, join: joinRoom } = await useBrowserCalls();

test("caller and bot receive each other's audio at its pitch", async () => {
  const call = await start();
  const { transport, room } = call;
  const events = recordEvents(
    transport,
    "joined",
    "firstParticipantJoined",
    "participantJoined",
    "clientConnected",
    "callStateUpdated",
  );
  expect(server.names(room)).toEqual(["Tester"]);
  expect(transport.localParticipant?.info).toMatchObject({ isLocal: true, userName: "Tester" });
  const input: AudioFrame[] = [];
  void transport.listen().pipeTo(new WritableStream({ write: (frame) => void input.push(frame) }));

  const caller = await joinRoom(call, "Ann");
  await until("the caller is connected", () => events.some(([name]) => name === "clientConnected"), timeoutMs);
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
    speak(caller, tone(440, { durationMs: 1_000 })),
    transport.play(source(tone(660, { durationMs: 1_000, sampleRate: 24_000 }))).done,
  ]);
  await until("the caller has received it", () => voiceMs(playedBy(caller)) > 900, timeoutMs);
  for (const [sound, hz] of [
    [join(input), 440],
    [playedBy(caller), 660],
  ] as const) {
    const voice = findVoice(sound);
    expect(measurePitch(excerpt(sound, (voice?.fromMs ?? 0) + 200, (voice?.fromMs ?? 0) + 800))).toBeCloseTo(hz, -1);
  }
  expect(await transport.participantCounts()).toEqual({ present: 0, hidden: 0 }); // the fake call machine does not count
});

test("a bot without output sends silence, which clients need to become ready", async () => {
  const call = await start();
  const caller = await joinRoom(call);
  await until("1 s has arrived", () => caller.received.length >= 100, 3_000);
  expect(caller.received.some(({ frame }) => isLoud(frame.samples))).toBe(false);
});

test("latency is below 150 ms in both directions and for an interruption", async () => {
  const call = await start();
  const { transport } = call;
  const caller = await joinRoom(call);
  await until("the caller is present", () => transport.participants.size === 1, timeoutMs);
  const latenciesToCaller: number[] = [];
  for (let n = 0; n < 5; n++) {
    const before = caller.received.length;
    const sentAt = performance.now();
    await transport.play(source(syllables(600, { durationMs: 200, sampleRate: 24_000 }))).done;
    await until("the caller receives it", () => loudSince(caller, before).length > 0, timeoutMs);
    latenciesToCaller.push((loudSince(caller, before)[0]?.atMs ?? 0) - sentAt);
    await until("it is silent again", () => isQuiet(caller), timeoutMs);
  }
  // Three times 150 ms, for busy machines.
  expect(median(latenciesToCaller)).toBeLessThan(450);

  const loudAtMs: number[] = [];
  void transport.listen().pipeTo(
    new WritableStream({
      write({ samples }) {
        if (isLoud(samples)) loudAtMs.push(performance.now());
      },
    }),
  );
  const latenciesToBot: number[] = [];
  for (let n = 0; n < 5; n++) {
    const before = loudAtMs.length;
    const sentAt = performance.now();
    await speak(caller, syllables(600, { durationMs: 200 }));
    await until("the bot receives it", () => loudAtMs.length > before, timeoutMs);
    latenciesToBot.push((loudAtMs[before] ?? 0) - sentAt);
    await until("it is silent again", () => performance.now() - (loudAtMs.at(-1) ?? 0) > 300, timeoutMs);
  }
  expect(median(latenciesToBot)).toBeLessThan(450);

  const silences: number[] = [];
  for (let n = 0; n < 5; n++) {
    const before = caller.received.length;
    void transport.play(source(tone(600, { durationMs: 60_000, sampleRate: 24_000 })));
    await until("the caller receives it", () => loudSince(caller, before).length > 50, timeoutMs);
    const stoppedAt = performance.now();
    transport.interrupt();
    await until("the caller receives silence", () => isQuiet(caller), timeoutMs);
    silences.push((loudSince(caller, before).at(-1)?.atMs ?? 0) - stoppedAt);
  }
  expect(median(silences)).toBeLessThan(450);
});

test("listenTo has the audio of one participant, input the mix of all", async () => {
  const call = await start();
  const [ann, ben] = [await joinRoom(call, "Ann"), await joinRoom(call, "Ben")];
  const { transport } = call;
  await until("both are present", () => transport.participants.size === 2, timeoutMs);
  const id = [...transport.participants.values()].find(({ info }) => info.userName === "Ben")?.id ?? "";
  const separate: AudioFrame[] = [];
  const mixed: AudioFrame[] = [];
  void transport.listenTo(id).pipeTo(new WritableStream({ write: (frame) => void separate.push(frame) }));
  void transport.listen().pipeTo(new WritableStream({ write: (frame) => void mixed.push(frame) }));
  await Promise.all([speak(ann, tone(400, { durationMs: 1_000 })), speak(ben, tone(900, { durationMs: 1_000 }))]);
  await until("Ben has been received", () => voiceMs(join(separate)) > 800, timeoutMs);
  const middle = (frames: readonly AudioFrame[]) => {
    const sound = join(frames);
    const fromMs = findVoice(sound)?.fromMs ?? 0;
    return excerpt(sound, fromMs + 200, fromMs + 800);
  };
  expect(measurePitch(middle(separate))).toBeCloseTo(900, -1);
  expect(measureTone(middle(separate), 400)).toBeLessThan(-50);
  for (const hz of [400, 900]) expect(measureTone(middle(mixed), hz)).toBeGreaterThan(-30);

  await ann.hangUp();
  await until("one is left", () => transport.participants.size === 1, timeoutMs);
  const { counts } = call.runner.sessions;
  expect(counts.active).toBe(1);
});

/** Sends a frame every 20 ms. */
async function speak(caller: BrowserCaller, sound: AudioFrame): Promise<void> {
  const startMs = performance.now();
  for (const [index, frame] of cut(sound).entries()) {
    await sleep(Math.max(0, startMs + index * 20 - performance.now()));
    caller.sendAudio(frame);
  }
}

/** The audio that the caller received. */
function playedBy(caller: BrowserCaller): AudioFrame {
  return join(caller.playout.played().map(({ frame }) => frame));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function voiceMs(sound: AudioFrame): number {
  const voice = findVoice(sound);
  return voice ? voice.toMs - voice.fromMs : 0;
}

/** The loud frames that the caller received after the first `skipped`. */
function loudSince(caller: BrowserCaller, skipped: number) {
  return caller.received.slice(skipped).filter(({ frame }) => isLoud(frame.samples));
}

/** Whether the last 300 ms (frames of 10 ms) were silent. */
function isQuiet(caller: BrowserCaller): boolean {
  return !caller.received.slice(-30).some(({ frame }) => isLoud(frame.samples));
}

function isLoud(samples: Int16Array): boolean {
  return samples.some((sample) => Math.abs(sample) > 1_000);
}

async function* source(sound: AudioFrame) {
  yield sound;
}
