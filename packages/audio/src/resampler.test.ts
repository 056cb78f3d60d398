import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { measureTone } from "./measure.ts";
import { createKernel, createResampler, type Resampler, resample } from "./resampler.ts";
import { tone as generateTone } from "./signal.ts";
import { splitRandomly } from "./test/split-randomly.ts";

const ratios: readonly (readonly [from: number, to: number])[] = [
  [16_000, 24_000],
  [24_000, 16_000],
  [8_000, 16_000],
  [16_000, 8_000],
  [24_000, 8_000],
  [48_000, 16_000],
  [24_000, 48_000],
  [48_000, 8_000],
  [44_100, 48_000],
  [48_000, 44_100],
  [11_025, 16_000],
  [16_000, 22_050],
  [192_000, 44_100],
  [11_025, 11_024], // 11,024 phases
  [191_999, 8_000],
];
const extremes: typeof ratios = [
  [192_000, 1_000],
  [1_000, 192_000],
  [191_999, 1_009],
];

function concat(...parts: readonly Int16Array[]): Int16Array {
  const whole = new Int16Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function resampled(resampler: Resampler, samples: Int16Array): Int16Array {
  return concat(resampler.process(samples), resampler.flush());
}

function tone(hz: number, rate: number, seconds: number, amplitude = 16_000): Int16Array {
  return Int16Array.from({ length: Math.round(rate * seconds) }, (_, index) =>
    Math.round(amplitude * Math.sin((2 * Math.PI * hz * index) / rate)),
  );
}

/** The samples without both ends, where the filter includes silence. */
function middle(samples: Int16Array): Int16Array {
  return samples.subarray(Math.floor(samples.length * 0.2), Math.ceil(samples.length * 0.8));
}

function levelDb(samples: Int16Array): number {
  const power = samples.reduce((sum, sample) => sum + sample ** 2, 0) / samples.length;
  return 10 * Math.log10(power || 1e-3);
}

/** Deterministic loud noise. */
function noise(length: number): Int16Array {
  let state = 1;
  return Int16Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 16) - 32_768;
  });
}

describe.each([...ratios, ...extremes])("from %d to %d Hz", (fromRate, toRate) => {
  it("gives the same samples however the stream is split", () => {
    const input = noise(1_001);
    const resampler = createResampler({ fromRate, toRate });
    const whole = resampled(resampler, input);
    for (let seed = 1; seed <= 12; seed++) {
      const longest = [1, 7, 320, 1_500][seed % 4] as number;
      const parts = [...splitRandomly(input, longest, seed)].map((piece) => resampler.process(piece));
      expect(concat(...parts, resampler.flush())).toEqual(whole);
    }
  });

  it("gives ceil(n × toRate / fromRate) samples", () => {
    const lengths = [0, 1, 2, 3, 100, 319, 320, 4_001];
    const resampler = createResampler({ fromRate, toRate });
    expect(lengths.map((length) => resampled(resampler, noise(length)).length)).toEqual(
      lengths.map((length) => Math.ceil((length * toRate) / fromRate)),
    );
  });
});

describe.each(ratios)("from %d to %d Hz", (fromRate, toRate) => {
  const nyquist = Math.min(fromRate, toRate) / 2;

  it.each([
    ["1 kHz", 1_000],
    ["0.9 of the Nyquist frequency", 0.9 * nyquist],
  ])("keeps the level and phase of a tone at %s", (_, hz) => {
    const output = resampled(createResampler({ fromRate, toRate }), tone(hz, fromRate, 0.25));
    const ideal = tone(hz, toRate, 0.25);
    const error = output.map((sample, index) => sample - (ideal[index] as number));
    expect(Math.abs(levelDb(middle(output)) - levelDb(middle(ideal)))).toBeLessThan(0.005);
    expect(levelDb(middle(error))).toBeLessThan(levelDb(middle(ideal)) - 78);
  });

  it("keeps the level of a tone at 0.93 of the Nyquist frequency within 0.1 dB", () => {
    const output = resampled(createResampler({ fromRate, toRate }), tone(0.93 * nyquist, fromRate, 0.25));
    expect(Math.abs(levelDb(middle(output)) - levelDb(middle(tone(0.93 * nyquist, toRate, 0.25))))).toBeLessThan(0.1);
  });

  it("keeps a constant signal", () => {
    const output = resampled(createResampler({ fromRate, toRate }), new Int16Array(fromRate / 10).fill(12_345));
    expect([...new Set(middle(output))]).toEqual([12_345]);
  });

  it("clips large values and never wraps around", () => {
    // A full-scale square wave overshoots after low-pass filtering; half of it has headroom.
    const halfPeriod = (4 * fromRate) / nyquist;
    const square = Int16Array.from({ length: fromRate / 10 }, (_, index) =>
      index % (2 * halfPeriod) < halfPeriod ? 32_766 : -32_766,
    );
    const resampler = createResampler({ fromRate, toRate });
    const loud = resampled(resampler, square);
    const quiet = resampled(
      resampler,
      square.map((sample) => sample / 2),
    );
    expect(Math.max(...quiet)).toBeGreaterThan(17_000);
    const ideal = quiet.map((sample) => Math.max(-16_384, Math.min(16_383, sample)));
    expect(Math.max(...loud.map((sample, index) => Math.abs(sample / 2 - (ideal[index] as number))))).toBeLessThan(2);
  });
});

describe.each(ratios.filter(([from, to]) => from > to * 1.05))("from %d down to %d Hz", (fromRate, toRate) => {
  const factors = [1.001, 1.01, 1.05, 1.25, 1.9].filter((factor) => factor * toRate < fromRate);
  it.each(factors)("removes a tone at %d of the new Nyquist frequency", (factor) => {
    const input = tone((factor * toRate) / 2, fromRate, 0.25, 32_000);
    const output = middle(resampled(createResampler({ fromRate, toRate }), input));
    expect(levelDb(output)).toBeLessThan(levelDb(input) - 80);
  });
});

it("resample converts complete audio, and returns audio of the same rate unchanged", () => {
  const audio = generateTone(440, { durationMs: 100, sampleRate: 44_100 });
  const resampled = resample(audio, 8_000);
  expect([resampled.samples.length, resampled.sampleRate, resampled.channels]).toEqual([800, 8_000, 1]);
  expect(measureTone(resampled, 440)).toBeCloseTo(measureTone(audio, 440), 0);
  expect(resample(audio, 44_100)).toBe(audio);
});

describe("createResampler", () => {
  it("leaves no image above the old Nyquist frequency", () => {
    const output = resampled(createResampler({ fromRate: 8_000, toRate: 16_000 }), tone(3_000, 8_000, 0.5));
    const ideal = tone(3_000, 16_000, 0.5);
    const rest = output.map((sample, index) => sample - (ideal[index] as number)); // the image would be at 5,000 Hz
    expect(levelDb(middle(rest))).toBeLessThan(levelDb(ideal) - 80);
  });

  it("holds back at most 64 samples at the lower rate", () => {
    expect(createResampler({ fromRate: 8_000, toRate: 16_000 }).process(new Int16Array(160))).toHaveLength(320 - 128);
    expect(createResampler({ fromRate: 24_000, toRate: 16_000 }).process(new Int16Array(480))).toHaveLength(320 - 64);
    const steady = createResampler({ fromRate: 16_000, toRate: 24_000 });
    steady.process(new Int16Array(320));
    expect(steady.process(new Int16Array(320))).toHaveLength(480);
  });

  it("is independent of earlier streams after reset and flush", () => {
    const fresh = resampled(createResampler({ fromRate: 16_000, toRate: 22_050 }), noise(500));
    const used = createResampler({ fromRate: 16_000, toRate: 22_050 });
    used.process(noise(333));
    used.reset();
    expect(resampled(used, noise(500))).toEqual(fresh);
    expect(resampled(used, noise(500))).toEqual(fresh);
    expect(used.flush()).toHaveLength(0);
  });

  it("does not drift within five minutes", () => {
    const resampler = createResampler({ fromRate: 11_025, toRate: 11_024 });
    const second = new Int16Array(11_025);
    let length = 0;
    for (let elapsed = 0; elapsed < 300; elapsed++) length += resampler.process(second).length;
    expect(length + resampler.flush().length).toBe(11_024 * 300);
  });

  it("returns the input unchanged if the rates are equal", () => {
    const same = createResampler({ fromRate: 16_000, toRate: 16_000 });
    const samples = noise(320);
    expect(same.process(samples)).toBe(samples);
    same.reset();
    expect(same.flush()).toHaveLength(0);
  });

  it("does not modify its input or earlier output", () => {
    const resampler = createResampler({ fromRate: 16_000, toRate: 24_000 });
    const input = noise(320);
    const first = resampler.process(input);
    const copy = first.slice();
    resampler.process(noise(640));
    expect(input).toEqual(noise(320));
    expect(first).toEqual(copy);
  });

  it.each([999, 192_001, 16_000.5, Number.NaN, -8_000])("rejects a rate of %d Hz", (rate) => {
    const reason = `: ${rate} is not an integer from 1000 to 192000.`;
    expect(() => createResampler({ fromRate: rate, toRate: 16_000 })).toThrow(new RangeError(`fromRate${reason}`));
    expect(() => createResampler({ fromRate: 16_000, toRate: rate })).toThrow(new RangeError(`toRate${reason}`));
  });
});

it("a kernel is small for every ratio", () => {
  const ratios = [
    [2, 3],
    [160, 147],
    [191_999, 191_998],
    [1, 192],
    [192, 1],
    [191_999, 1_009],
    [1_009, 191_999],
    [192_000, 1_001],
  ] as const;
  const sizes = ratios.map(([from, to]) => createKernel(from, to).weights.length);
  expect(Math.max(...sizes)).toBeLessThan(65_536);
  expect(sizes[0]).toBe(4 * 128);
});

it("src/generated is up to date with wasm/filter.wat (`pnpm generate`)", () => {
  const root = join(import.meta.dirname, "..");
  const generated = execFileSync(process.execPath, [join(root, "wasm", "generate.ts"), "--print"], {
    encoding: "utf8",
  });
  expect(readFileSync(join(root, "src", "generated", "filter-module.ts"), "utf8")).toBe(generated);
});
