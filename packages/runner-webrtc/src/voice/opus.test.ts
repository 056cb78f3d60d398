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

test.each(pairs)("speech of %i Hz is as loud and 6.5 ms later at %i Hz", async (from, to) => {
  const opus = await loadOpus();
  const encoder = await opus.createEncoder({ sampleRate: from });
  const decoder = await opus.createDecoder({ sampleRate: to });
  const carry = (samples: Int16Array) => ({
    samples: decoder.decode(encoder.encode(samples)) ?? new Int16Array(),
    sampleRate: to,
    channels: 1,
  });
  const said = syllables(150, { durationMs: 2_000, sampleRate: from });
  const heard = join(cut(said).map(({ samples }) => carry(samples)));
  expect(Math.abs(measureLevel(heard) - measureLevel(said))).toBeLessThan(1);

  const swept = cut(
    join([sweep(200, 3_000, { durationMs: 300, sampleRate: from }), silence({ durationMs: 40, sampleRate: from })]),
  );
  const recording = join(swept.map(({ samples }) => carry(samples)));
  const match = findSound(sweep(200, 3_000, { durationMs: 300, sampleRate: to }), recording);
  expect(match?.correlation).toBeGreaterThan(0.9);
  expect(match?.delayMs).toBeCloseTo(6.5, 0);
  encoder.free();
  decoder.free();
});

describe("packets from elsewhere", () => {
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
      const said = tone(440, { durationMs: 400 });
      const heard = cut(said).map(({ samples }) => {
        const both = new Int16Array(640);
        for (const [index, sample] of samples.entries()) both.fill(sample, index * 2, index * 2 + 2);
        return { samples: decoder.decode(encoder.encode(both)) ?? new Int16Array(), sampleRate: 16_000, channels: 1 };
      });
      expect(heard.every(({ samples }) => samples.length === 320)).toBe(true);
      expect(Math.abs(measureLevel(excerpt(join(heard), 40, 380)) - measureLevel(said))).toBeLessThan(1);
    });
    encoder.free();
  });

  test.each([2.5, 5, 10, 20, 40, 60])("%f ms are as many samples", async (durationMs) => {
    const encoder = await libopus.createEncoder({ sampleRate: 16_000, channels: 1, frameSize: durationMs * 16 });
    const packet = encoder.encode(new Int16Array(durationMs * 16));
    await withDecoder((decoder) => expect(decoder.decode(packet)?.length).toBe(durationMs * 16));
    encoder.free();
  });

  test("120 ms, the longest, fit", async () => {
    // RFC 6716, section 3.2.5: six frames of 20 ms, all of the size of the first.
    const packet = Uint8Array.of(0xf8 | 3, 6, ...Array.from({ length: 6 }, () => [0xff, 0xfe]).flat());
    await withDecoder((decoder) => expect(decoder.decode(packet)?.length).toBe(1_920));
  });

  test("no bytes throw, and after them the next packet is decoded", async () => {
    const random = createRandom(3);
    await withDecoder((decoder) => {
      expect(decoder.decode(new Uint8Array())).toBeUndefined();
      expect(decoder.decode(Uint8Array.of(0x41, 0xff))).toBeUndefined(); // RFC 6716, section 3.2.3: halves of an odd number of bytes
      for (let count = 0; count < 2_000; count++) {
        const bytes = Uint8Array.from({ length: 1 + Math.floor(random() * 60) }, () => random() * 256);
        const samples = random() < 0.5 ? decoder.decode(bytes) : decoder.recover(bytes, 20);
        expect(samples === undefined || samples.length > 0).toBe(true);
      }
      expect(decoder.conceal(7)).toBeUndefined();
      expect(decoder.decode(Uint8Array.of(0xf8, 0xff, 0xfe))?.length).toBe(320);
    });
  });
});

test("a packet holds a copy of the frame before it, and that sounds more like it than a guess", async () => {
  const opus = await loadOpus();
  const encoder = await opus.createEncoder({ sampleRate: 48_000 });
  const said = cut(syllables(150, { durationMs: 1_000, sampleRate: 48_000 }));
  const packets = said.map(({ samples }) => encoder.encode(samples));
  const errors = await Promise.all(
    [true, false].map(async (copied) => {
      const whole = await opus.createDecoder({ sampleRate: 48_000 });
      const holed = await opus.createDecoder({ sampleRate: 48_000 });
      const lost = 5; // on the rise of the first syllable
      for (const packet of packets.slice(0, lost)) for (const decoder of [whole, holed]) decoder.decode(packet);
      const wanted = whole.decode(packets[lost] ?? new Uint8Array()) ?? new Int16Array();
      const got = copied ? holed.recover(packets[lost + 1] ?? new Uint8Array(), 20) : holed.conceal(20);
      whole.free();
      holed.free();
      return wanted.reduce((sum, sample, index) => sum + (sample - (got?.[index] ?? 0)) ** 2, 0);
    }),
  );
  expect(errors[0]).toBeLessThan((errors[1] ?? 0) / 4);
  encoder.free();
});

test("what is made is counted until it is freed, which is done once", async () => {
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

test("settings that Opus does not have are refused, and nothing is left behind", async () => {
  const opus = await loadOpus();
  await expect(opus.createEncoder({ sampleRate: 16_000, complexity: 11 })).rejects.toThrow(RangeError);
  await expect(opus.createEncoder({ sampleRate: 16_000, bitrate: 0.5 })).rejects.toThrow(RangeError);
  expect(opus.live.encoders).toBe(0);
  const encoder = await opus.createEncoder({ sampleRate: 16_000 });
  expect(() => encoder.encode(new Int16Array(100))).toThrow(RangeError);
  encoder.free();
});

test("with DTX a long silence becomes packets of one byte", async () => {
  const encoder = await (await loadOpus()).createEncoder({ sampleRate: 16_000, dtx: true });
  const sizes = Array.from({ length: 30 }, () => encoder.encode(new Int16Array(320)).length);
  expect(sizes.slice(12, 20)).toEqual(Array(8).fill(1));
  encoder.free();
});
