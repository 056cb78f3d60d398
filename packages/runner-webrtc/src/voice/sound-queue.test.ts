import { expect, test } from "vitest";
import { createSoundQueue } from "./sound-queue.ts";

const loud = (length = 320) => new Int16Array(length).fill(10_000);
const peak = (samples: Int16Array) => samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);

test("a piece of exactly a frame is handed on as it is, others are cut and joined", () => {
  const queue = createSoundQueue(16_000);
  const frame = Int16Array.from({ length: 320 }, (_, index) => index);
  queue.add(frame);
  expect(queue.take()).toBe(frame);
  queue.add(Int16Array.from({ length: 500 }, (_, index) => index));
  queue.add(Int16Array.from({ length: 140 }, (_, index) => 500 + index));
  expect(queue.held).toBe(1_920);
  expect([...queue.take(), ...queue.take()]).toEqual(Array.from({ length: 640 }, (_, index) => index));
  expect(queue.held).toBe(0);
});

test("guesses are whole for 60 ms, fade over the next 60, and what follows them comes in within 5 ms", () => {
  const queue = createSoundQueue(16_000);
  for (let count = 0; count < 7; count++) queue.guess(loud(), 960);
  const taken = Array.from({ length: 7 }, () => queue.take());
  expect(taken.slice(0, 3).map(peak)).toEqual([10_000, 10_000, 10_000]);
  expect(taken[4]?.at(0)).toBeCloseTo(6_667, -2);
  expect(taken[5]?.at(-1)).toBeLessThan(50);
  expect(peak(taken[6] ?? loud())).toBe(0);
  queue.add(loud());
  const after = queue.take();
  expect([after[0], after[80]]).toEqual([0, 10_000]);
});

test("a frame is quiet when it is very quiet, or 20 dB below what was heard lately", () => {
  const queue = createSoundQueue(16_000);
  const quiet = (level: number) => {
    queue.add(new Int16Array(320).fill(level));
    queue.take();
    return queue.quiet;
  };
  expect([quiet(50), quiet(2_000), quiet(300), quiet(150), quiet(300)]).toEqual([true, false, false, true, false]);
  for (let count = 0; count < 400; count++) quiet(0); // 8 s
  expect(quiet(150)).toBe(false);
});
