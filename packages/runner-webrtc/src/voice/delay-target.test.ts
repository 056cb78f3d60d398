import { expect, test } from "vitest";
import { createDelayTarget } from "./delay-target.ts";

/** Adds packets that come 20 ms apart, each so much later than the quickest. */
function add(target: ReturnType<typeof createDelayTarget>, fromMs: number, lateMs: readonly number[]): number {
  for (const [index, late] of lateMs.entries()) target.add(late, fromMs + index * 20 + late, 0);
  return fromMs + lateMs.length * 20;
}

const even = (count: number) => Array(count).fill(0) as number[];

test("packets that come evenly wait 20 ms, the least", () => {
  const target = createDelayTarget();
  add(target, 0, even(1_000));
  expect(target.targetMs).toBe(20);
});

test("a late packet counts at once in the beginning, later only when 1 in 128 is late", () => {
  const target = createDelayTarget();
  let nowMs = add(target, 0, [0, 0, 50]);
  expect(target.targetMs).toBeGreaterThanOrEqual(60);
  nowMs = add(target, nowMs, even(1_000));
  expect(target.targetMs).toBe(20);
  nowMs = add(target, nowMs, [50, 50, 50, 50]);
  expect(target.targetMs).toBe(20);
  nowMs = add(target, nowMs, [50]);
  expect(target.targetMs).toBeGreaterThanOrEqual(60);
  nowMs = add(target, nowMs, even(500));
  expect(target.targetMs).toBeGreaterThanOrEqual(60);
  add(target, nowMs, even(20));
  expect(target.targetMs).toBe(20);
});

test("no packet waits longer than 120 ms", () => {
  const target = createDelayTarget();
  add(target, 0, [...even(10), ...Array(100).fill(400)]);
  expect(target.targetMs).toBe(120);
});

test("what is quickest is forgotten in 5 s, so that a longer way, once for all, adds no delay", () => {
  const target = createDelayTarget();
  let nowMs = add(target, 0, even(100));
  expect(target.quickestMs).toBe(0);
  nowMs = add(target, nowMs, Array(100).fill(60));
  expect(target.quickestMs).toBe(0);
  add(target, nowMs, Array(1_000).fill(60));
  expect(target.quickestMs).toBe(60);
  expect(target.targetMs).toBe(20);
});

test("packets that are needed before their time wait longer", () => {
  const target = createDelayTarget();
  for (let index = 0; index < 100; index++) target.add(0, index * 20, 15);
  expect(target.targetMs).toBeGreaterThanOrEqual(25);
});
