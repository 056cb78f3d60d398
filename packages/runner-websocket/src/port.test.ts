import type { CallerSocket } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { encodeAudio, encodeMessage } from "./codec.ts";
import { createWebSocketPort } from "./port.ts";

test("takes 24 kHz in frames of 40 ms, in real time", () => {
  const { port } = open();
  expect(port).toMatchObject({ sampleRates: [24_000], frameMs: 40 });
  expect(port.sendAheadMs ?? 0).toBe(0);
});

test("takes the sample rate of the params, and rejects rates that have no whole frames", () => {
  expect(open({ audioOutSampleRate: 8_000 }).port.sampleRates).toEqual([8_000]);
  for (const audioOutSampleRate of [0, 7_975, 8_001, 24_000.5, 200_000, Number.NaN]) {
    expect(() => open({ audioOutSampleRate })).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  }
});

test("sends audio at once, and an interruption on clear", () => {
  const { port, sent } = open();
  const frame = { samples: new Int16Array(960).fill(7), sampleRate: 24_000, channels: 1 };
  port.send(frame);
  port.clear?.();
  expect(sent).toEqual([hex(encodeAudio(frame)), "2a00"]);
});

test("sends messages, and rejects values that JSON cannot represent", async () => {
  const { port, sent } = open();
  await port.sendMessage?.({ hello: "you" });
  expect(sent).toEqual([hex(encodeMessage({ hello: "you" }))]);
  await expect(port.sendMessage?.(undefined)).rejects.toThrow(TypeError);
});

test("passes on the send buffer and the close", async () => {
  const { port, closed } = open();
  expect(port.bufferedBytes?.()).toBe(123_456);
  await port.close("shutdown", new AbortController().signal);
  expect(closed).toEqual(["shutdown"]);
});

function open(params = {}) {
  const sent: string[] = [];
  const closed: string[] = [];
  const socket = {
    bufferedBytes: 123_456,
    send: (data: Uint8Array) => sent.push(hex(data)),
    write: async (data: Uint8Array) => void sent.push(hex(data)),
    close: async (reason: string) => void closed.push(reason),
  } as unknown as CallerSocket;
  return { port: createWebSocketPort(socket, params), sent, closed };
}

function hex(data: Uint8Array): string {
  return Buffer.from(data).toString("hex");
}
