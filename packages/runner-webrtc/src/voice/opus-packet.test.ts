import { cut, syllables } from "@pipecat-ts/runner-testing";
import { createEncoder, getPacketInfo } from "libopus-wasm";
import { expect, test } from "vitest";
import { parseOpusPacket } from "./opus-packet.ts";

test("durations equal those of libopus for every kind of packet", async () => {
  let seen = 0;
  for (let toc = 0; toc < 256; toc++) {
    for (const count of [1, 2, 3, 6, 48]) {
      if ((toc & 3) < 3 && count > 1) continue;
      const frames = (toc & 3) === 3 ? count : (toc & 3) === 0 ? 1 : 2;
      const code = toc & 3;
      const head = code === 3 ? [toc, count] : code === 2 ? [toc, 1] : [toc];
      const packet = Uint8Array.from([...head, ...Array(frames).fill(0xff)]);
      const expected = await getPacketInfo(packet).catch(() => undefined);
      const info = parseOpusPacket(packet);
      expect(info?.duration).toBe(expected?.samples);
      if (info) expect(info.frameDuration).toBe(expected?.samplesPerFrame);
      if (expected) seen += 1;
    }
  }
  expect(seen).toBeGreaterThan(300);
});

test("an empty packet and packets without frames or with too many frames are invalid", () => {
  expect(parseOpusPacket(new Uint8Array())).toBeUndefined();
  expect(parseOpusPacket(Uint8Array.of(0xfb))).toBeUndefined();
  expect(parseOpusPacket(Uint8Array.of(0xfb, 0x00, 0x01))).toBeUndefined();
  expect(parseOpusPacket(Uint8Array.of(0xfb, 0x07, 0x01))).toBeUndefined();
});

test.each([
  ["with", 20],
  ["with", 40],
  ["with", 60],
  ["without", 20],
  ["without", 40],
  ["without", 60],
])("detects packets encoded %s in-band FEC (%i ms)", async (kind, durationMs) => {
  const fec = kind === "with";
  const sampleRate = 16_000;
  const frameSize = durationMs * 16;
  const options = { sampleRate, channels: 1, application: 2048, bitrate: 32_000, frameSize, fec } as const;
  const encoder = await createEncoder({ ...options, packetLossPercent: fec ? 10 : 0 });
  const speech = cut(syllables(150, { durationMs: 4_800, sampleRate }), durationMs);
  const withFec = speech.filter(({ samples }) => parseOpusPacket(encoder.encode(samples))?.hasFec);
  encoder.free();
  if (fec) expect(withFec.length).toBeGreaterThan(speech.length / 2);
  else expect(withFec).toEqual([]);
});
