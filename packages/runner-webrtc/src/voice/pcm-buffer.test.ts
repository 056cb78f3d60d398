import { expect, test } from "vitest";
import { createPcmBuffer } from "./pcm-buffer.ts";

const loud = (length = 320) => new Int16Array(length).fill(10_000);
const peak = (samples: Int16Array) => samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);

test("returns a chunk of exactly one frame unchanged, and splits and joins others", () => {
  const buffer = createPcmBuffer(16_000);
  const frame = Int16Array.from({ length: 320 }, (_, index) => index);
  buffer.push(frame);
  expect(buffer.shift()).toBe(frame);
  buffer.push(Int16Array.from({ length: 500 }, (_, index) => index));
  buffer.push(Int16Array.from({ length: 140 }, (_, index) => 500 + index));
  expect(buffer.length).toBe(1_920);
  expect([...buffer.shift(), ...buffer.shift()]).toEqual(Array.from({ length: 640 }, (_, index) => index));
  expect(buffer.length).toBe(0);
});

test("plays concealed audio at full level for 60 ms, fades it out by 120 ms, and fades in within 5 ms", () => {
  const buffer = createPcmBuffer(16_000);
  for (let count = 0; count < 7; count++) buffer.pushConcealed(loud(), 960);
  const frames = Array.from({ length: 7 }, () => buffer.shift());
  expect(frames.slice(0, 3).map(peak)).toEqual([10_000, 10_000, 10_000]);
  expect(frames[4]?.at(0)).toBeCloseTo(6_667, -2);
  expect(frames[5]?.at(-1)).toBeLessThan(50);
  expect(peak(frames[6] ?? loud())).toBe(0);
  buffer.push(loud());
  const after = buffer.shift();
  expect([after[0], after[80]]).toEqual([0, 10_000]);
});

test("a frame is a pause when it is almost silent, or 20 dB below the recent level", () => {
  const buffer = createPcmBuffer(16_000);
  const isPause = (level: number) => {
    buffer.push(new Int16Array(320).fill(level));
    buffer.shift();
    return buffer.isPause;
  };
  expect([isPause(50), isPause(2_000), isPause(300), isPause(150), isPause(300)]).toEqual([
    true,
    false,
    false,
    true,
    false,
  ]);
  for (let count = 0; count < 400; count++) isPause(0); // 8 s
  expect(isPause(150)).toBe(false);
});
