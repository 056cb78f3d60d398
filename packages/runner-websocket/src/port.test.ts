import type { CallerSocket } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { encodeAudio, encodeMessage } from "./codec.ts";
import { createEvalCamera } from "./eval-camera.ts";
import { createWebSocketPort } from "./port.ts";
import { encodeBotAudio } from "./rtvi-json.ts";

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

test("to a caller that speaks text, sends messages as text, and neither audio nor interruptions", async () => {
  const { port, sent } = open({}, { format: "json", evals: undefined });
  port.send({ samples: new Int16Array(960), sampleRate: 24_000, channels: 1 });
  port.clear?.();
  await port.sendMessage?.({ hello: "you" });
  expect(sent).toEqual(['{"hello":"you"}']);
  await expect(port.sendMessage?.(undefined)).rejects.toThrow(TypeError);
  expect(port.capabilities).toEqual({ audioOut: true, videoIn: false });
});

test("sends audio as text to an eval harness that asks for it, and says when the bot must not speak", () => {
  const { port, sent } = open({}, { format: "json", evals: { skipTts: true, captureBotAudio: true } });
  const frame = { samples: new Int16Array(960).fill(7), sampleRate: 24_000, channels: 1 };
  port.send(frame);
  expect(sent).toEqual([encodeBotAudio(frame)]);
  expect(port.capabilities).toEqual({ audioOut: false, videoIn: false });
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

function open(
  params = {},
  caller: Parameters<typeof createWebSocketPort>[2] = { format: "protobuf", evals: undefined },
) {
  const sent: string[] = [];
  const closed: string[] = [];
  const socket = {
    bufferedBytes: 123_456,
    send: (data: string | Uint8Array) => sent.push(typeof data === "string" ? data : hex(data)),
    write: async (data: string | Uint8Array) => void sent.push(typeof data === "string" ? data : hex(data)),
    close: async (reason: string) => void closed.push(reason),
  } as unknown as CallerSocket;
  return { port: createWebSocketPort(socket, params, caller, createEvalCamera()), sent, closed };
}

function hex(data: Uint8Array): string {
  return Buffer.from(data).toString("hex");
}
