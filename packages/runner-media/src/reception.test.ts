import type { AudioFrame } from "@pipecat-ts/audio";
import { expect, test } from "vitest";
import type { Caller } from "./port.ts";
import { createReception } from "./reception.ts";

test("hands on what came before and after the bot listened, in order, messages first", () => {
  const { reception, caller, told } = open();
  reception.connected();
  reception.audio(audio(320, 1));
  reception.message("client-ready", 20);
  reception.audio(audio(320, 2));
  reception.attach(caller);
  reception.message("hello", 20);
  reception.audio(audio(320, 3));
  expect(told).toEqual([
    "connected",
    "message client-ready",
    "audio 320 of 1",
    "audio 320 of 2",
    "message hello",
    "audio 320 of 3",
  ]);
});

test("tells of the connection when it comes", () => {
  const { reception, caller, told } = open();
  reception.attach(caller);
  expect(told).toEqual([]);
  reception.connected();
  expect(told).toEqual(["connected"]);
});

test("keeps the last 500 ms of early audio", () => {
  const { reception, caller, told } = open();
  for (let n = 0; n < 10_000; n++) reception.audio(audio(320, n % 1000));
  reception.attach(caller);
  expect(told).toEqual(Array.from({ length: 25 }, (_, n) => `audio 320 of ${975 + n}`));
  expect(reception.dropped).toEqual({ audioMs: 199_500, messages: 0, digits: 0 });
});

test("keeps no more than 100 early frames, however short, and a long one whole", () => {
  const { reception, caller, told } = open();
  for (let n = 0; n < 500; n++) reception.audio(audio(1, n));
  reception.attach(caller);
  expect(told).toHaveLength(100);

  const long = open();
  long.reception.audio(audio(320, 1));
  long.reception.audio(audio(16_000, 2));
  long.reception.attach(long.caller);
  expect(long.told).toEqual(["audio 16000 of 2"]);
});

test("keeps the first 50 early messages, and 1 MiB of them", () => {
  const many = open();
  for (let n = 0; n < 60; n++) many.reception.message(n, 3);
  many.reception.attach(many.caller);
  expect(many.told).toEqual(Array.from({ length: 50 }, (_, n) => `message ${n}`));
  expect(many.reception.dropped.messages).toBe(10);

  const large = open();
  for (let n = 0; n < 5; n++) large.reception.message(n, 300_000);
  large.reception.attach(large.caller);
  expect(large.told).toHaveLength(3);
});

test("keeps the first 50 early keys, and hands later ones on at once", () => {
  const { reception, caller, told } = open();
  for (let n = 0; n < 60; n++) reception.dtmf(String(n % 10));
  reception.attach(caller);
  reception.dtmf("#");
  expect(told).toEqual([...Array.from({ length: 50 }, (_, n) => `dtmf ${n % 10}`), "dtmf #"]);
  expect(reception.dropped.digits).toBe(10);
});

test("tells a bot that listens late all it can still know", () => {
  const { reception, caller, told } = open();
  reception.connected();
  reception.message("client-ready", 20);
  reception.left("caller-left");
  reception.attach(caller);
  expect(told).toEqual(["connected", "message client-ready", "left caller-left"]);
});

function open() {
  const told: string[] = [];
  const caller: Caller = {
    connected: () => told.push("connected"),
    audio: ({ samples }: AudioFrame) => told.push(`audio ${samples.length} of ${samples[0]}`),
    message: (message) => told.push(`message ${message}`),
    dtmf: (digit) => told.push(`dtmf ${digit}`),
    played: (mark) => told.push(`played ${mark}`),
    error: (error) => told.push(`error ${error.message}`),
    event: (name) => told.push(name),
    left: (reason) => told.push(`left ${reason}`),
  };
  return { told, caller, reception: createReception() };
}

/** A frame at 16 kHz whose samples all have one value. */
function audio(samples: number, value: number): AudioFrame {
  return { samples: new Int16Array(samples).fill(value), sampleRate: 16_000, channels: 1 };
}
