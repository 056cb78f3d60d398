import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createImpairedNetwork } from "./network.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

/** The numbers of the packets that arrive, in order, at the end and after `ms`. */
function arriving(loss: number, jitterMs: number, ms: number) {
  const network = createImpairedNetwork({ loss, jitterMs });
  const arrived: number[] = [];
  for (let index = 0; index < 1_000; index++) network.send(() => arrived.push(index));
  vi.advanceTimersByTime(ms);
  const before = arrived.length;
  network.close();
  vi.advanceTimersByTime(1_000);
  return { arrived, before };
}

test("a share of the packets is lost, the same ones in every call", () => {
  const { arrived } = arriving(0.05, 0, 0);
  expect(1_000 - arrived.length).toBeGreaterThan(30);
  expect(1_000 - arrived.length).toBeLessThan(70);
  expect(arriving(0.05, 0, 0).arrived).toEqual(arrived);
  expect([arriving(0, 0, 0).arrived.length, arriving(1, 0, 0).arrived.length]).toEqual([1_000, 0]);
});

test("packets arrive up to the jitter later and overtake each other, and none after the network is closed", () => {
  const { arrived } = arriving(0, 40, 40);
  expect(arrived).toHaveLength(1_000);
  expect(arrived).not.toEqual(arrived.toSorted((a, b) => a - b));
  const half = arriving(0, 40, 20);
  expect(half.before).toBeGreaterThan(400);
  expect(half.arrived.length).toBe(half.before);
});
