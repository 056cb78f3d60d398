import { cut, syllables } from "@pipecat-ts/runner-testing";
import { createEncoder, getPacketInfo } from "libopus-wasm";
import { expect, test } from "vitest";
import { recogniseOpusPacket } from "./opus-packet.ts";

test("durations are those that libopus finds, for every kind of packet", async () => {
  let seen = 0;
  for (let contents = 0; contents < 256; contents++) {
    for (const count of [1, 2, 3, 6, 48]) {
      if ((contents & 3) < 3 && count > 1) continue;
      const frames = (contents & 3) === 3 ? count : (contents & 3) === 0 ? 1 : 2;
      const code = contents & 3;
      const head = code === 3 ? [contents, count] : code === 2 ? [contents, 1] : [contents];
      const packet = Uint8Array.from([...head, ...Array(frames).fill(0xff)]);
      const info = await getPacketInfo(packet).catch(() => undefined);
      const shape = recogniseOpusPacket(packet);
      expect(shape?.duration).toBe(info?.samples);
      if (shape) expect(shape.frameDuration).toBe(info?.samplesPerFrame);
      if (info) seen += 1;
    }
  }
  expect(seen).toBeGreaterThan(300);
});

test("no bytes, no frames and too many frames are no packet", () => {
  expect(recogniseOpusPacket(new Uint8Array())).toBeUndefined();
  expect(recogniseOpusPacket(Uint8Array.of(0xfb))).toBeUndefined();
  expect(recogniseOpusPacket(Uint8Array.of(0xfb, 0x00, 0x01))).toBeUndefined();
  expect(recogniseOpusPacket(Uint8Array.of(0xfb, 0x07, 0x01))).toBeUndefined();
});

test.each([
  ["with", 20],
  ["with", 40],
  ["with", 60],
  ["without", 20],
  ["without", 40],
  ["without", 60],
])("packets encoded %s copies, %i ms long, are known as such", async (kind, durationMs) => {
  const fec = kind === "with";
  const sampleRate = 16_000;
  const frameSize = durationMs * 16;
  const options = { sampleRate, channels: 1, application: 2048, bitrate: 32_000, frameSize, fec } as const;
  const encoder = await createEncoder({ ...options, packetLossPercent: fec ? 10 : 0 });
  const speech = cut(syllables(150, { durationMs: 4_800, sampleRate }), durationMs);
  const copies = speech.filter(({ samples }) => recogniseOpusPacket(encoder.encode(samples))?.hasCopy);
  encoder.free();
  if (fec) expect(copies.length).toBeGreaterThan(speech.length / 2);
  else expect(copies).toEqual([]);
});
