import type { AudioFrame } from "@pipecat-ts/audio";
import { excerpt, join, measurePitch, measureTone, tone } from "@pipecat-ts/runner-testing";
import { describe, expect, test } from "vitest";
import { createMixer, mixRate } from "./room-audio.ts";

const level = (value: number, samples = 480): AudioFrame => ({
  samples: new Int16Array(samples).fill(value),
  sampleRate: mixRate,
  channels: 1,
});

function openMixer() {
  const mixed: AudioFrame[] = [];
  const mixer = createMixer((frame) => mixed.push(frame));
  return { mixer, mixed, values: () => mixed.map(({ samples }) => [samples.length, samples[0], samples.at(-1)]) };
}

describe("a mixer", () => {
  test("passes on a single source immediately", () => {
    const { mixer, values } = openMixer();
    for (const value of [1, 2, 3]) mixer.push("a", level(value));
    expect(values()).toEqual([1, 2, 3].map((value) => [480, value, value]));
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
    for (let n = 0; n < 50; n++) {
      mixer.push("phone", { ...tone(400, { durationMs: 1_000, sampleRate: 8_000 }), samples: part(8_000, n) });
    }
    const whole = join(mixed);
    expect(whole.sampleRate).toBe(mixRate);
    expect(measurePitch(excerpt(whole, 200, 800))).toBeCloseTo(400, -1);
  });

  test("contains the tones of both sources", () => {
    const { mixer, mixed } = openMixer();
    const [low, high] = [
      tone(400, { durationMs: 1_000, sampleRate: mixRate }),
      tone(1_000, { durationMs: 1_000, sampleRate: mixRate }),
    ];
    for (let at = 0; at < mixRate; at += 480) {
      mixer.push("a", { ...low, samples: low.samples.subarray(at, at + 480) });
      mixer.push("b", { ...high, samples: high.samples.subarray(at, at + 480) });
    }
    const whole = excerpt(join(mixed), 100, 900);
    expect(measureTone(whole, 400) - measureTone(low, 400)).toBeCloseTo(0, 0);
    expect(measureTone(whole, 1_000) - measureTone(high, 1_000)).toBeCloseTo(0, 0);
  });
});

function part(rate: number, n: number): Int16Array {
  return tone(400, { durationMs: 1_000, sampleRate: rate }).samples.subarray((n * rate) / 50, ((n + 1) * rate) / 50);
}
