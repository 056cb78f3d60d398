import { describe, expect, test } from "vitest";
import type { AudioFrame } from "./frame.ts";
import { createMixer } from "./mixer.ts";

const mixRate = 48_000;

const level = (value: number, samples = 480): AudioFrame => ({
  samples: new Int16Array(samples).fill(value),
  sampleRate: mixRate,
  channels: 1,
});

function openMixer() {
  const mixed: AudioFrame[] = [];
  const mixer = createMixer(mixRate, (frame) => mixed.push(frame));
  return { mixer, mixed, values: () => mixed.map(({ samples }) => [samples.length, samples[0], samples.at(-1)]) };
}

describe("a mixer", () => {
  test("passes on a single source immediately", () => {
    const { mixer, values } = openMixer();
    for (const value of [1, 2, 3]) mixer.push("a", level(value));
    expect(values()).toEqual([1, 2, 3].map((value) => [480, value, value]));
  });

  test("loses nothing of a source that changes its sample rate, alone or while it waits for another", () => {
    const alone = openMixer();
    for (const sampleRate of [24_000, 16_000, mixRate])
      alone.mixer.push("a", { ...level(100, sampleRate / 100), sampleRate });
    expect(alone.mixed.reduce((sum, { samples }) => sum + samples.length, 0)).toBe(3 * 480);
    const both = openMixer();
    for (const name of ["a", "b", "a", "a"]) both.mixer.push(name, level(100));
    both.mixer.push("a", { ...level(100, 240), sampleRate: 24_000 });
    both.mixer.push("a", level(100));
    for (let count = 0; count < 4; count++) both.mixer.push("b", level(1));
    const sums = both.mixed.flatMap(({ samples }) => [...samples]).filter((sample) => sample > 90);
    // The resampled frame begins and ends with some smaller samples.
    expect(sums.length).toBeGreaterThan(5 * 480 - 40);
  });

  test("adds up two sources with different frame sizes, and clips the sum", () => {
    const { mixer, values } = openMixer();
    mixer.push("a", level(100));
    mixer.push("b", level(10));
    mixer.push("a", level(200));
    mixer.push("b", level(20, 200));
    mixer.push("b", level(30_000, 280));
    mixer.push("a", level(30_000));
    mixer.push("b", level(30_000));
    expect(values()).toEqual([
      [480, 100, 100],
      [480, 210, 210],
      [480, 30_020, 32_767],
    ]);
  });

  test("waits 60 ms for a source that pauses, loses nothing of the others, and adds it again later", () => {
    const { mixer, values } = openMixer();
    mixer.push("a", level(1));
    mixer.push("b", level(1));
    mixer.push("a", level(1));
    const before = values().length;
    for (let n = 0; n < 6; n++) mixer.push("a", level(7));
    expect(values()).toHaveLength(before);
    mixer.push("a", level(7));
    mixer.push("a", level(7));
    const total = values().reduce((sum, [length]) => sum + Number(length), 0);
    expect(total).toBe(480 * 10);
    mixer.push("b", level(5));
    mixer.push("a", level(7));
    expect(values().at(-1)).toEqual([480, 12, 12]);
  });

  test("resamples other rates", () => {
    const { mixer, mixed } = openMixer();
    for (let n = 0; n < 50; n++) mixer.push("phone", { samples: tonePart(n), sampleRate: 8_000, channels: 1 });
    const samples = mixed.flatMap((frame) => [...frame.samples]);
    expect(mixed.every(({ sampleRate }) => sampleRate === mixRate)).toBe(true);
    expect(samples.length / mixRate).toBeCloseTo(1, 1);
    const rises = samples.filter((sample, index) => sample >= 0 && (samples[index - 1] ?? 0) < 0).length;
    expect(rises / 10).toBeCloseTo(40, 0);
  });
});

/** 20 ms of a tone of 400 Hz at 8 kHz. */
function tonePart(n: number): Int16Array {
  return Int16Array.from(
    { length: 160 },
    (_, index) => 10_000 * Math.sin((2 * Math.PI * 400 * (n * 160 + index)) / 8_000),
  );
}
