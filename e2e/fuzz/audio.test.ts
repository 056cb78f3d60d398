import fc from "fast-check";
import { expect, test } from "vitest";
import {
  createResampler,
  decodeAlaw,
  decodeMulaw,
  encodeAlaw,
  encodeMulaw,
  encodeWav,
  mixToMono,
  parseWav,
} from "../../packages/audio/src/index.ts";
import { createDropCounters } from "../../packages/runner-media/src/counters.ts";
import { createInputAudio } from "../../packages/runner-media/src/input-audio.ts";
import { recordingLogger } from "../../packages/runner-media/src/test/fake-call.ts";
import { fuzz } from "./fuzz.ts";

const rate = fc.oneof(
  fc.constantFrom(1_000, 8_000, 11_025, 16_000, 21_001, 21_003, 44_100, 48_000, 191_999, 192_000),
  fc.integer({ min: 1_000, max: 192_000 }),
);
const samples = fc.int16Array({ maxLength: 4_000 });

test("G.711 decodes all bytes, and encodes what it decoded to bytes that decode the same", async () => {
  await fuzz(fc.uint8Array({ maxLength: 2_000 }), (bytes) => {
    for (const [decode, encode] of [
      [decodeMulaw, encodeMulaw],
      [decodeAlaw, encodeAlaw],
    ] as const) {
      const decoded = decode(bytes);
      expect(decoded).toHaveLength(bytes.length);
      expect(decode(encode(decoded))).toEqual(decoded);
    }
  });
});

test("the resampler gives ceil(n × toRate / fromRate) samples at all rates", async () => {
  await fuzz(fc.record({ fromRate: rate, toRate: rate, pieces: fc.array(samples, { maxLength: 3 }) }), (stream) => {
    const { fromRate, toRate, pieces } = stream;
    const resampler = createResampler({ fromRate, toRate });
    const given = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const made = pieces.reduce((sum, piece) => sum + resampler.process(piece).length, 0) + resampler.flush().length;
    expect(made).toBe(Math.ceil((given * toRate) / fromRate));
  });
});

/** A WAV file with changed, added or missing bytes. */
const changedWav = fc
  .tuple(
    samples,
    fc.array(fc.tuple(fc.nat({ max: 60 }), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }),
    fc.nat({ max: 8_100 }),
  )
  .map(([data, changes, length]) => {
    const file = encodeWav({ samples: data, sampleRate: 16_000, channels: 1 });
    for (const [index, byte] of changes) if (index < file.length) file[index] = byte;
    return file.subarray(0, length);
  });

test("WAV files of any content are parsed or rejected with a reason", async () => {
  let parsed = 0;
  let rejected = 0;
  await fuzz(fc.oneof(changedWav, fc.uint8Array({ maxLength: 200 })), (file) => {
    try {
      const frame = parseWav(file);
      expect(frame.samples.length % frame.channels).toBe(0);
      parsed += 1;
    } catch (error) {
      expect(String(error)).toMatch(/WAV/);
      rejected += 1;
    }
  });
  expect(Math.min(parsed, rejected)).toBeGreaterThan(100);
});

test("frames of any rate, length and number of channels become frames of 20 ms, or are counted", async () => {
  const frame = fc.record({
    samples: fc.int16Array({ maxLength: 500 }),
    sampleRate: fc.oneof(rate, fc.integer(), fc.double()),
    channels: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: -1, max: 300 })),
  });
  await fuzz(fc.array(frame, { maxLength: 20 }), (frames) => {
    let nowMs = 0;
    const drops = createDropCounters(recordingLogger([]));
    const clock = { now: () => nowMs, after: () => () => undefined };
    const input = createInputAudio(16_000, drops, clock);
    for (const each of frames) {
      input.push(each);
      nowMs += 300;
    }
    const valid = frames.filter(({ sampleRate, channels, samples: { length } }) => {
      const fits = Number.isInteger(sampleRate) && sampleRate >= 1_000 && sampleRate <= 192_000;
      return fits && channels >= 1 && channels <= 8 && length % channels === 0;
    });
    expect(drops.counters.inputInvalid).toBe(frames.length - valid.length);
    for (const each of valid) expect(mixToMono(each).samples).toHaveLength(each.samples.length / each.channels);
  });
});
