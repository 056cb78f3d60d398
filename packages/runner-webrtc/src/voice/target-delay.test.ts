import { expect, test } from "vitest";
import { createTargetDelay } from "./target-delay.ts";

/** Adds packets 20 ms apart, each delayed by the given time. Returns the time after the last one. */
function add(target: ReturnType<typeof createTargetDelay>, fromMs: number, delaysMs: readonly number[]): number {
  for (const [index, delayMs] of delaysMs.entries()) target.add(delayMs, fromMs + index * 20 + delayMs, 0);
  return fromMs + delaysMs.length * 20;
}

const punctual = (count: number) => Array(count).fill(0) as number[];

test("packets without jitter wait 20 ms, the minimum", () => {
  const target = createTargetDelay();
  add(target, 0, punctual(1_000));
  expect(target.targetMs).toBe(20);
});

test("a late packet counts at once in the first seconds, later only when 1 in 128 is late", () => {
  const target = createTargetDelay();
  let nowMs = add(target, 0, [0, 0, 50]);
  expect(target.targetMs).toBeGreaterThanOrEqual(60);
  nowMs = add(target, nowMs, punctual(1_000));
  expect(target.targetMs).toBe(20);
  nowMs = add(target, nowMs, [50, 50, 50, 50]);
  expect(target.targetMs).toBe(20);
  nowMs = add(target, nowMs, [50]);
  expect(target.targetMs).toBeGreaterThanOrEqual(60);
  nowMs = add(target, nowMs, punctual(500));
  expect(target.targetMs).toBeGreaterThanOrEqual(60);
  add(target, nowMs, punctual(20));
  expect(target.targetMs).toBe(20);
});

test("the target never exceeds 120 ms", () => {
  const target = createTargetDelay();
  add(target, 0, [...punctual(10), ...Array(100).fill(400)]);
  expect(target.targetMs).toBe(120);
});

test("the fastest packet counts for 5 s, so that a route that becomes slower for good adds no delay", () => {
  const target = createTargetDelay();
  let nowMs = add(target, 0, punctual(100));
  expect(target.fastestMs).toBe(0);
  nowMs = add(target, nowMs, Array(100).fill(60));
  expect(target.fastestMs).toBe(0);
  add(target, nowMs, Array(1_000).fill(60));
  expect(target.fastestMs).toBe(60);
  expect(target.targetMs).toBe(20);
});

test("packets that are needed before their timestamp wait longer", () => {
  const target = createTargetDelay();
  for (let index = 0; index < 100; index++) target.add(0, index * 20, 15);
  expect(target.targetMs).toBeGreaterThanOrEqual(25);
});
