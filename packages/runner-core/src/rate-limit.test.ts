import { expect, test } from "vitest";
import { createRateLimit } from "./rate-limit.ts";

test("admits the burst at once, then the rate, and never more than the burst after a pause", () => {
  let nowMs = 1_000;
  const limit = createRateLimit({ perSecond: 10, burst: 5 }, () => nowMs);
  const taken = () => Array.from({ length: 20 }, limit.take).filter(Boolean).length;
  expect(taken()).toBe(5);
  expect(taken()).toBe(0);
  nowMs += 99;
  expect(taken()).toBe(0);
  nowMs += 201;
  expect(taken()).toBe(3);
  nowMs += 60_000;
  expect(taken()).toBe(5);
});
