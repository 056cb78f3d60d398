import type { AudioFrame } from "@pipecat-ts/audio";
import type { Logger } from "@pipecat-ts/runner-core";
import type { Caller } from "@pipecat-ts/runner-media";
import { expect, test } from "vitest";
import { encodeAudio, encodeMessage } from "./codec.ts";
import { receive } from "./reception.ts";
import { createFakeSocket } from "./test/fake-socket.ts";

test("hands on what came before and after the bot listened, in order, messages first", () => {
  const { far, reception, caller, told } = open();
  far.receive(audio(320, 1));
  far.receive(encodeMessage("client-ready"));
  far.receive(audio(320, 2));
  reception.attach(caller);
  far.receive(encodeMessage("hello"));
  far.receive(audio(320, 3));
  expect(told).toEqual([
    "connected",
    "message client-ready",
    "audio 320 of 1",
    "audio 320 of 2",
    "message hello",
    "audio 320 of 3",
  ]);
});

test("keeps the last 500 ms of early audio", () => {
  const { far, reception, caller, told, lines } = open();
  for (let n = 0; n < 10_000; n++) far.receive(audio(320, n % 1000));
  reception.attach(caller);
  expect(told).toEqual(["connected", ...Array.from({ length: 25 }, (_, n) => `audio 320 of ${975 + n}`)]);
  far.leave();
  expect(lines).toEqual([
    [
      "info",
      { skippedMessages: 0, unheardMessages: 0, unheardAudioMs: 199_500 },
      "Not all that the caller sent was used",
    ],
  ]);
});

test("keeps no more than 100 early frames, however short, and a long one whole", () => {
  const { far, reception, caller, told } = open();
  for (let n = 0; n < 500; n++) far.receive(audio(1, n));
  reception.attach(caller);
  expect(told).toHaveLength(1 + 100);

  const long = open();
  long.far.receive(audio(320, 1));
  long.far.receive(audio(16_000, 2));
  long.reception.attach(long.caller);
  expect(long.told).toEqual(["connected", "audio 16000 of 2"]);
});

test("keeps the first 50 early messages, and 1 MiB of them", () => {
  const many = open();
  for (let n = 0; n < 60; n++) many.far.receive(encodeMessage(n));
  many.reception.attach(many.caller);
  expect(many.told).toEqual(["connected", ...Array.from({ length: 50 }, (_, n) => `message ${n}`)]);
  many.far.leave();
  expect(many.lines).toMatchObject([["info", { unheardMessages: 10 }, "Not all that the caller sent was used"]]);

  const large = open();
  for (let n = 0; n < 5; n++) large.far.receive(encodeMessage("x".repeat(300_000)));
  large.reception.attach(large.caller);
  expect(large.told).toHaveLength(1 + 3);
});

test("skips junk, warns once, and says at the end how much it was", () => {
  const { far, reception, caller, told, lines } = open();
  reception.attach(caller);
  for (let n = 0; n < 1000; n++) far.receive(Buffer.from("junk"), n % 2 === 0);
  far.receive(encodeMessage("still there"));
  expect(told).toEqual(["connected", "message still there"]);
  far.leave();
  expect(lines).toEqual([
    ["warn", "Skipped bytes that are no frame. Further messages of no use are only counted."],
    ["info", { skippedMessages: 1000, unheardMessages: 0, unheardAudioMs: 0 }, "Not all that the caller sent was used"],
  ]);
});

test("tells when the caller leaves, once, and says nothing about a call in which all was used", async () => {
  const { far, reception, caller, told, lines } = open();
  reception.attach(caller);
  far.leave();
  expect(told).toEqual(["connected", "left caller-left"]);
  await expect(reception.left).resolves.toBe("caller-left");
  expect(lines).toEqual([]);
});

test("tells a bot that listens late all it can still know", async () => {
  const { far, reception, caller, told } = open();
  far.receive(encodeMessage("client-ready"));
  far.leave();
  await expect(reception.left).resolves.toBe("caller-left");
  reception.attach(caller);
  expect(told).toEqual(["connected", "message client-ready", "left caller-left"]);
});

test("tells a caller who breaks the protocol from one who leaves", async () => {
  const { far, reception, caller, told, lines } = open();
  reception.attach(caller);
  const error = new RangeError("Max payload size exceeded");
  far.fail(error);
  far.leave();
  expect(told).toEqual(["connected", "left transport-failed"]);
  await expect(reception.left).resolves.toBe("transport-failed");
  expect(lines).toEqual([["warn", { err: error }, "The caller's socket cannot go on: Max payload size exceeded"]]);
});

function open() {
  const far = createFakeSocket();
  const lines: unknown[] = [];
  const told: string[] = [];
  const line =
    (level: string) =>
    (...parts: unknown[]) => {
      lines.push([level, ...parts]);
    };
  const logger: Logger = {
    debug: line("debug"),
    info: line("info"),
    warn: line("warn"),
    error: line("error"),
    child: () => logger,
  };
  const caller: Caller = {
    connected: () => told.push("connected"),
    audio: ({ samples }: AudioFrame) => told.push(`audio ${samples.length} of ${samples[0]}`),
    message: (message) => told.push(`message ${message}`),
    dtmf: (digit) => told.push(`dtmf ${digit}`),
    played: (mark) => told.push(`played ${mark}`),
    error: (error) => told.push(`error ${error.message}`),
    left: (reason) => told.push(`left ${reason}`),
  };
  return { far, lines, told, caller, reception: receive(far.socket, logger) };
}

/** A frame at 16 kHz whose samples all have one value. */
function audio(samples: number, value: number): Uint8Array {
  return encodeAudio({ samples: new Int16Array(samples).fill(value), sampleRate: 16_000, channels: 1 });
}
