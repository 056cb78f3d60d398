import type { AudioFrame } from "@pipecat-ts/audio";
import type { Call } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { createBufferedCall } from "./call.ts";
import { recordingLogger } from "./test/fake-call.ts";
import { createFakeClock } from "./test/fake-clock.ts";

test("delivers buffered events, messages first, then later events at once", () => {
  const { buffered, call, receiver, received } = open();
  call.connected();
  call.audio(audio(320, 1));
  call.message("client-ready");
  call.event("trackStatus", "microphone");
  call.audio(audio(320, 2));
  buffered.attach(receiver);
  call.message("hello", "alice");
  call.audio(audio(320, 3));
  call.played("7");
  expect(received).toEqual([
    "connected",
    "message client-ready",
    "trackStatus microphone",
    "audio 320 of 1",
    "audio 320 of 2",
    "message hello from alice",
    "audio 320 of 3",
    "played 7",
  ]);
});

test("reports the connection when it comes, once", () => {
  const { buffered, call, receiver, received } = open();
  buffered.attach(receiver);
  expect(received).toEqual([]);
  call.connected();
  call.connected();
  expect(received).toEqual(["connected"]);
});

test("buffers the last 500 ms of audio", () => {
  const { buffered, call, receiver, received } = open();
  for (let n = 0; n < 10_000; n++) call.audio(audio(320, n % 1000));
  buffered.attach(receiver);
  expect(received).toEqual(Array.from({ length: 25 }, (_, n) => `audio 320 of ${975 + n}`));
  expect(buffered.dropped).toEqual({ audioMs: 199_500, messages: 0, keys: 0, events: 0 });
});

test("a frame with the sample rate 0 does not lift the limit of 500 ms", () => {
  const { buffered, call, receiver, received } = open();
  call.audio({ ...audio(320, 0), sampleRate: 0 });
  for (let n = 0; n < 100; n++) call.audio(audio(320, n));
  buffered.attach(receiver);
  expect(received).toEqual(Array.from({ length: 25 }, (_, n) => `audio 320 of ${75 + n}`));
});

test("buffers at most 100 frames, however short, and a long frame as a whole", () => {
  const short = open();
  for (let n = 0; n < 500; n++) short.call.audio(audio(1, n));
  short.buffered.attach(short.receiver);
  expect(short.received).toHaveLength(100);

  const long = open();
  long.call.audio(audio(320, 1));
  long.call.audio(audio(16_000, 2));
  long.buffered.attach(long.receiver);
  expect(long.received).toEqual(["audio 16000 of 2"]);
});

test("buffers the first 50 messages, of about 1 MiB together", () => {
  const many = open();
  for (let n = 0; n < 60; n++) many.call.message(n);
  many.buffered.attach(many.receiver);
  expect(many.received).toEqual(Array.from({ length: 50 }, (_, n) => `message ${n}`));
  expect(many.buffered.dropped.messages).toBe(10);

  const large = open();
  for (let n = 0; n < 5; n++) large.call.message("x".repeat(300_000));
  large.buffered.attach(large.receiver);
  expect(large.received).toHaveLength(3);
});

test("buffers the first 50 keys and the first 50 other events", async () => {
  const { buffered, call, receiver, received, clock } = open();
  for (let n = 0; n < 60; n++) call.dtmf(String(n % 10));
  for (let n = 0; n < 60; n++) call.event("ping", n);
  buffered.attach(receiver);
  await clock.advance(50);
  call.dtmf("#");
  expect(received).toEqual([
    ...Array.from({ length: 50 }, (_, n) => `dtmf ${n % 10}`),
    ...Array.from({ length: 50 }, (_, n) => `ping ${n}`),
    "dtmf #",
  ]);
  expect(buffered.dropped).toMatchObject({ keys: 10, events: 10 });
});

test("gives a bot that listens after the caller left everything, and then the end", () => {
  const { buffered, call, receiver, received, left } = open();
  call.connected();
  call.message("client-ready");
  call.left();
  call.audio(audio(320, 1));
  expect(left).toEqual(["caller-left"]);
  buffered.attach(receiver);
  expect(received).toEqual(["connected", "message client-ready", "left caller-left"]);
});

test("reports the first reason of leaving, to the bot and then to the owner", () => {
  const { buffered, call, receiver, received, left } = open();
  buffered.attach(receiver);
  call.left("transport-failed");
  call.left("caller-left");
  expect(received).toEqual(["left transport-failed"]);
  expect(left).toEqual(["transport-failed"]);
});

test("ignores early audio that is not a frame", () => {
  const { buffered, call, receiver, received } = open();
  for (const frame of [null, undefined, {}, { samples: [1] }]) call.audio(frame as unknown as AudioFrame);
  buffered.attach(receiver);
  expect(received).toEqual([]);
});

test("admits 300 messages at once and 100 per second, counts the rest, and warns once", async () => {
  const { buffered, call, receiver, received, clock, warnings } = open();
  buffered.attach(receiver);
  for (let n = 0; n < 1_000; n++) call.message(n);
  expect(received).toEqual(Array.from({ length: 300 }, (_, n) => `message ${n}`));
  for (let second = 0; second < 10; second++) {
    await clock.advance(1_000);
    for (let n = 0; n < 200; n++) call.message(n);
  }
  expect(received).toHaveLength(1_300);
  expect(buffered.dropped.messages).toBe(700 + 1_000);
  expect(warnings).toEqual(["message dropped: too many per second; further ones are only counted"]);
  call.audio(audio(320, 1));
  expect(received.at(-1)).toBe("audio 320 of 1");
});

test("admits 50 keys at once and 20 per second, apart from messages", async () => {
  const { buffered, call, receiver, received, clock } = open();
  buffered.attach(receiver);
  for (let n = 0; n < 100; n++) call.dtmf("1");
  expect(received).toHaveLength(50);
  await clock.advance(1_000);
  for (let n = 0; n < 100; n++) call.dtmf("1");
  expect(received).toHaveLength(70);
  call.message("hello");
  expect(received.at(-1)).toBe("message hello");
  expect(buffered.dropped).toMatchObject({ keys: 130, messages: 0 });
});

test.each<[string, (call: Call) => void]>([
  ["messages", (call) => call.message("x")],
  ["keys", (call) => call.dtmf("1")],
  ["other events", (call) => call.event("trackStatus")],
])("disconnects a caller that sends 5,000 %s at once, or more than 1,000 per second", async (_, send) => {
  const { buffered, call, receiver, received, left, clock, warnings } = open();
  buffered.attach(receiver);
  for (let second = 0; second < 10; second++) {
    for (let n = 0; n < 1_000; n++) send(call);
    await clock.advance(1_000);
  }
  expect(left).toEqual([]);
  for (let n = 0; n < 5_001; n++) send(call);
  expect(left).toEqual(["rate-exceeded"]);
  expect(received.at(-1)).toBe("left rate-exceeded");
  for (let n = 0; n < 5_000; n++) send(call);
  expect(received.at(-1)).toBe("left rate-exceeded");
  expect(warnings.filter((warning) => warning.startsWith("caller disconnected"))).toHaveLength(1);
});

test("delivers the events of a transport after the caller left", () => {
  const { buffered, call, receiver, received } = open();
  buffered.attach(receiver);
  call.left();
  call.event("roomClosed");
  expect(received).toEqual(["left caller-left", "roomClosed "]);
});

function open() {
  const received: string[] = [];
  const left: string[] = [];
  const receiver: Call = {
    connected: () => received.push("connected"),
    audio: ({ samples }) => received.push(`audio ${samples.length} of ${samples[0]}`),
    message: (message, sender) =>
      received.push(
        `message ${typeof message === "string" ? message.slice(0, 20) : message}${sender ? ` from ${sender}` : ""}`,
      ),
    dtmf: (digit) => received.push(`dtmf ${digit}`),
    played: (mark) => received.push(`played ${mark}`),
    error: (error) => received.push(`error ${error.message}`),
    event: (name, ...args) => received.push(`${name} ${args.join()}`),
    left: (reason) => received.push(`left ${reason}`),
  };
  const clock = createFakeClock();
  const warnings: string[] = [];
  const logger = recordingLogger(warnings);
  const buffered = createBufferedCall({ clock, logger, onLeft: (reason) => left.push(reason) });
  return { buffered, call: buffered.call, receiver, received, left, clock, warnings };
}

/** A frame at 16 kHz whose samples all have one value. */
function audio(samples: number, value: number): AudioFrame {
  return { samples: new Int16Array(samples).fill(value), sampleRate: 16_000, channels: 1 };
}
