import { expect, test } from "vitest";
import { excerpt, measureLevel, measureTone } from "../../runner-testing/src/index.ts";
import { dtmfTones } from "./dtmf-tones.ts";

test.each([
  ["1", 697, 1_209],
  ["5", 770, 1_336],
  ["9", 852, 1_477],
  ["0", 941, 1_336],
  ["*", 941, 1_209],
  ["#", 941, 1_477],
  ["D", 941, 1_633],
])("key %s is %i and %i Hz for 100 ms, then silence", (digit, low, high) => {
  const tones = dtmfTones(digit);
  expect(tones).toMatchObject({ sampleRate: 8_000, channels: 1 });
  expect(tones.samples).toHaveLength(1_600);
  const key = excerpt(tones, 10, 90);
  expect(measureTone(key, low)).toBeCloseTo(measureTone(key, high), 0);
  expect(measureLevel(key) - 3).toBeLessThan(measureTone(key, low) + 0.5);
  expect(measureLevel(excerpt(tones, 100))).toBe(Number.NEGATIVE_INFINITY);
});

test("plays keys one after another, and 500 ms of silence for w", () => {
  expect(dtmfTones("1w2").samples).toHaveLength(2 * 1_600 + 4_000);
});
