import type { AudioFrame } from "@pipecat-ts/audio";
import type { Logger } from "@pipecat-ts/runner-core";
import type { Caller } from "@pipecat-ts/runner-media";
import { expect, test } from "vitest";
import { encodeAudio, encodeMessage } from "./codec.ts";
import { receive } from "./reception.ts";
import { createFakeSocket } from "./test/fake-socket.ts";

test("keeps what came before the bot listened, and hands on what comes after", () => {
  const { far, reception, caller, told } = open();
  far.receive(audio(320, 1));
  far.receive(encodeMessage("client-ready"));
  reception.attach(caller);
  far.receive(encodeMessage("hello"));
  far.receive(audio(320, 3));
  expect(told).toEqual(["connected", "message client-ready", "audio 320 of 1", "message hello", "audio 320 of 3"]);
});

test("says at the end how much came too early to be kept", () => {
  const { far, reception, caller, lines } = open();
  for (let n = 0; n < 100; n++) far.receive(audio(320, n));
  for (let n = 0; n < 60; n++) far.receive(encodeMessage(n));
  reception.attach(caller);
  far.leave();
  expect(lines).toEqual([
    [
      "info",
      { skippedMessages: 0, unheardMessages: 10, unheardAudioMs: 1_500 },
      "Not all that the caller sent was used",
    ],
  ]);
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
    event: (name) => told.push(name),
    left: (reason) => told.push(`left ${reason}`),
  };
  return { far, lines, told, caller, reception: receive(far.socket, logger) };
}

/** A frame at 16 kHz whose samples all have one value. */
function audio(samples: number, value: number): Uint8Array {
  return encodeAudio({ samples: new Int16Array(samples).fill(value), sampleRate: 16_000, channels: 1 });
}
