import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createPermits } from "./permits.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

test("each key has a number of permits in any 60 s, and rejected requests take none", async () => {
  const take = createPermits();
  const takeAll = async (count: number) =>
    await Promise.all(Array.from({ length: count }, async () => await take("calls", 3)));
  expect(await takeAll(2)).toEqual([true, true]);
  vi.advanceTimersByTime(59_999);
  expect(await takeAll(3)).toEqual([true, false, false]);
  expect(await take("others", 1)).toBe(true);
  vi.advanceTimersByTime(1);
  expect(await takeAll(3)).toEqual([true, true, false]);
  vi.advanceTimersByTime(59_999);
  expect(await takeAll(2)).toEqual([true, false]);
});
