import type { AudioFrame } from "@pipecat-ts/audio";
import { excerpt, join, measurePitch, measureTone, tone } from "@pipecat-ts/runner-testing";
import { describe, expect, test } from "vitest";
import { createMixer, mixRate } from "./mixer.ts";

const level = (value: number, samples = 480): AudioFrame => ({
  samples: new Int16Array(samples).fill(value),
  sampleRate: mixRate,
  channels: 1,
});

function mixing() {
  const mixed: AudioFrame[] = [];
  const mixer = createMixer((frame) => mixed.push(frame));
  return { mixer, mixed, values: () => mixed.map(({ samples }) => [samples.length, samples[0], samples.at(-1)]) };
}

describe("a mixer", () => {
  test("passes on at once what only one says", () => {
    const { mixer, values } = mixing();
    for (const value of [1, 2, 3]) mixer.take("a", level(value));
    expect(values()).toEqual([1, 2, 3].map((value) => [480, value, value]));
  });

  test("adds up what two say, however it is cut, and never beyond what a sample holds", () => {
    const { mixer, values } = mixing();
    mixer.take("a", level(100));
    mixer.take("b", level(10));
    mixer.take("a", level(200));
    mixer.take("b", level(20, 200));
    mixer.take("b", level(30_000, 280));
    mixer.take("a", level(30_000));
    mixer.take("b", level(30_000));
    expect(values()).toEqual([
      [480, 100, 100],
      [480, 210, 210],
      [480, 30_020, 32_767],
    ]);
  });

  test("waits 60 ms for one who falls silent, loses nothing of the others, and takes him in again", () => {
    const { mixer, values } = mixing();
    mixer.take("a", level(1));
    mixer.take("b", level(1));
    mixer.take("a", level(1));
    const before = values().length;
    for (let n = 0; n < 6; n++) mixer.take("a", level(7));
    expect(values()).toHaveLength(before);
    mixer.take("a", level(7));
    mixer.take("a", level(7));
    const total = values().reduce((sum, [length]) => sum + Number(length), 0);
    expect(total).toBe(480 * 10);
    mixer.take("b", level(5));
    mixer.take("a", level(7));
    expect(values().at(-1)).toEqual([480, 12, 12]);
  });

  test("brings other rates to its own", () => {
    const { mixer, mixed } = mixing();
    for (let n = 0; n < 50; n++) {
      mixer.take("phone", { ...tone(400, { durationMs: 1_000, sampleRate: 8_000 }), samples: part(8_000, n) });
    }
    const whole = join(mixed);
    expect(whole.sampleRate).toBe(mixRate);
    expect(measurePitch(excerpt(whole, 200, 800))).toBeCloseTo(400, -1);
  });

  test("two tones are both in the mix", () => {
    const { mixer, mixed } = mixing();
    const [low, high] = [
      tone(400, { durationMs: 1_000, sampleRate: mixRate }),
      tone(1_000, { durationMs: 1_000, sampleRate: mixRate }),
    ];
    for (let at = 0; at < mixRate; at += 480) {
      mixer.take("a", { ...low, samples: low.samples.subarray(at, at + 480) });
      mixer.take("b", { ...high, samples: high.samples.subarray(at, at + 480) });
    }
    const whole = excerpt(join(mixed), 100, 900);
    expect(measureTone(whole, 400) - measureTone(low, 400)).toBeCloseTo(0, 0);
    expect(measureTone(whole, 1_000) - measureTone(high, 1_000)).toBeCloseTo(0, 0);
  });
});

function part(rate: number, n: number): Int16Array {
  return tone(400, { durationMs: 1_000, sampleRate: rate }).samples.subarray((n * rate) / 50, ((n + 1) * rate) / 50);
}
