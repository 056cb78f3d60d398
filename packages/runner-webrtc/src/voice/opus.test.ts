import {
  cut,
  excerpt,
  findSound,
  join,
  measureLevel,
  silence,
  sweep,
  syllables,
  tone,
} from "@pipecat-ts/runner-testing";
import * as libopus from "libopus-wasm";
import { describe, expect, test } from "vitest";
import { loadOpus, type OpusDecoder, opusSampleRates } from "./opus.ts";
import { createRandom } from "./test/lossy-network.ts";

const pairs = opusSampleRates.flatMap((from) => opusSampleRates.map((to) => [from, to] as const));

test.each(pairs)(
  "speech encoded at %i Hz has the same level, and a delay of 6.5 ms, decoded at %i Hz",
  async (from, to) => {
    const opus = await loadOpus();
    const encoder = await opus.createEncoder({ sampleRate: from });
    const decoder = await opus.createDecoder({ sampleRate: to });
    const transfer = (samples: Int16Array) => ({
      samples: decoder.decode(encoder.encode(samples)) ?? new Int16Array(),
      sampleRate: to,
      channels: 1,
    });
    const speech = syllables(150, { durationMs: 2_000, sampleRate: from });
    const received = join(cut(speech).map(({ samples }) => transfer(samples)));
    expect(Math.abs(measureLevel(received) - measureLevel(speech))).toBeLessThan(1);

    const swept = cut(
      join([sweep(200, 3_000, { durationMs: 300, sampleRate: from }), silence({ durationMs: 40, sampleRate: from })]),
    );
    const recording = join(swept.map(({ samples }) => transfer(samples)));
    const match = findSound(sweep(200, 3_000, { durationMs: 300, sampleRate: to }), recording);
    expect(match?.correlation).toBeGreaterThan(0.9);
    expect(match?.delayMs).toBeCloseTo(6.5, 0);
    encoder.free();
    decoder.free();
  },
);

describe("packets of other encoders", () => {
  async function withDecoder(use: (decoder: OpusDecoder) => void): Promise<void> {
    const decoder = await (await loadOpus()).createDecoder({ sampleRate: 16_000 });
    use(decoder);
    decoder.free();
  }

  test("stereo is mixed to mono", async () => {
    const encoder = await libopus.createEncoder({
      sampleRate: 16_000,
      channels: 2,
      application: libopus.Application.Audio,
    });
    await withDecoder((decoder) => {
      const sent = tone(440, { durationMs: 400 });
      const received = cut(sent).map(({ samples }) => {
        const both = new Int16Array(640);
        for (const [index, sample] of samples.entries()) both.fill(sample, index * 2, index * 2 + 2);
        return { samples: decoder.decode(encoder.encode(both)) ?? new Int16Array(), sampleRate: 16_000, channels: 1 };
      });
      expect(received.every(({ samples }) => samples.length === 320)).toBe(true);
      expect(Math.abs(measureLevel(excerpt(join(received), 40, 380)) - measureLevel(sent))).toBeLessThan(1);
    });
    encoder.free();
  });

  test.each([2.5, 5, 10, 20, 40, 60])("a packet of %f ms is decoded to as many samples", async (durationMs) => {
    const encoder = await libopus.createEncoder({ sampleRate: 16_000, channels: 1, frameSize: durationMs * 16 });
    const packet = encoder.encode(new Int16Array(durationMs * 16));
    await withDecoder((decoder) => expect(decoder.decode(packet)?.length).toBe(durationMs * 16));
    encoder.free();
  });

  test("a packet of 120 ms, the maximum, is decoded", async () => {
    // RFC 6716, section 3.2.5: six frames of 20 ms, all of the size of the first.
    const packet = Uint8Array.of(0xf8 | 3, 6, ...Array.from({ length: 6 }, () => [0xff, 0xfe]).flat());
    await withDecoder((decoder) => expect(decoder.decode(packet)?.length).toBe(1_920));
  });

  test("invalid packets do not throw, and the next valid packet is decoded", async () => {
    const random = createRandom(3);
    await withDecoder((decoder) => {
      expect(decoder.decode(new Uint8Array())).toBeUndefined();
      expect(decoder.decode(Uint8Array.of(0x41, 0xff))).toBeUndefined(); // RFC 6716, section 3.2.3: halves of an odd number of bytes
      for (let count = 0; count < 2_000; count++) {
        const bytes = Uint8Array.from({ length: 1 + Math.floor(random() * 60) }, () => random() * 256);
        const samples = random() < 0.5 ? decoder.decode(bytes) : decoder.decodeFec(bytes, 20);
        expect(samples === undefined || samples.length > 0).toBe(true);
      }
      expect(decoder.conceal(7)).toBeUndefined();
      expect(decoder.decode(Uint8Array.of(0xf8, 0xff, 0xfe))?.length).toBe(320);
    });
  });
});

test("in-band FEC restores a lost frame better than concealment", async () => {
  const opus = await loadOpus();
  const encoder = await opus.createEncoder({ sampleRate: 48_000, fec: true });
  const speech = cut(syllables(150, { durationMs: 1_000, sampleRate: 48_000 }));
  const packets = speech.map(({ samples }) => encoder.encode(samples));
  const errors = await Promise.all(
    [true, false].map(async (fec) => {
      const lossless = await opus.createDecoder({ sampleRate: 48_000 });
      const lossy = await opus.createDecoder({ sampleRate: 48_000 });
      const lost = 5; // In the attack of the first syllable.
      for (const packet of packets.slice(0, lost)) for (const decoder of [lossless, lossy]) decoder.decode(packet);
      const expected = lossless.decode(packets[lost] ?? new Uint8Array()) ?? new Int16Array();
      const actual = fec ? lossy.decodeFec(packets[lost + 1] ?? new Uint8Array(), 20) : lossy.conceal(20);
      lossless.free();
      lossy.free();
      return expected.reduce((sum, sample, index) => sum + (sample - (actual?.[index] ?? 0)) ** 2, 0);
    }),
  );
  expect(errors[0]).toBeLessThan((errors[1] ?? 0) / 4);
  encoder.free();
});

test("counts live encoders and decoders, and frees each once", async () => {
  const opus = await loadOpus();
  const encoder = await opus.createEncoder({ sampleRate: 16_000 });
  const decoder = await opus.createDecoder({ sampleRate: 16_000 });
  expect(opus.live).toEqual({ encoders: 1, decoders: 1 });
  for (let time = 0; time < 2; time++) {
    encoder.free();
    decoder.free();
  }
  expect(opus.live).toEqual({ encoders: 0, decoders: 0 });
  expect(decoder.decode(Uint8Array.of(0xf8, 0xff, 0xfe))).toBeUndefined();
  expect(decoder.conceal(20)).toBeUndefined();
});

test("rejects settings outside the range of Opus, and leaks no encoder", async () => {
  const opus = await loadOpus();
  await expect(opus.createEncoder({ sampleRate: 16_000, complexity: 11 })).rejects.toThrow(RangeError);
  await expect(opus.createEncoder({ sampleRate: 16_000, bitrate: 0.5 })).rejects.toThrow(RangeError);
  expect(opus.live.encoders).toBe(0);
  const encoder = await opus.createEncoder({ sampleRate: 16_000 });
  expect(() => encoder.encode(new Int16Array(100))).toThrow(RangeError);
  encoder.free();
});

test("with DTX, a long silence is sent as packets of one byte", async () => {
  const encoder = await (await loadOpus()).createEncoder({ sampleRate: 16_000, dtx: true });
  const sizes = Array.from({ length: 30 }, () => encoder.encode(new Int16Array(320)).length);
  expect(sizes.slice(12, 20)).toEqual(Array(8).fill(1));
  encoder.free();
});
