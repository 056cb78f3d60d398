import { expect, test } from "vitest";
import { until, within } from "./patience.ts";
import { watchTimers } from "./timers.ts";

test("until waits for the condition, and says which one did not come", async () => {
  let looks = 0;
  await until("the third look", () => ++looks === 3, 5_000);
  expect(looks).toBe(3);
  await expect(until("doomsday", () => false, 20)).rejects.toThrow("doomsday: not within 20 ms");
});

test("within gives what the promise gives, or says that it did not come", async () => {
  expect(await within("seven", Promise.resolve(7), 5_000)).toBe(7);
  await expect(within("a failure", Promise.reject(new Error("no")), 5_000)).rejects.toThrow("no");
  await expect(within("doomsday", new Promise(() => undefined), 20)).rejects.toThrow("doomsday: not within 20 ms");
});

test("neither leaves a timer behind, and a watch sees the one that is left, unref'ed or not", async () => {
  const timers = watchTimers();
  await within("seven", Promise.resolve(7), 60_000);
  const kept = [setTimeout(() => undefined, 60_000).unref(), setInterval(() => undefined, 900)];
  const short = setTimeout(() => undefined, 900);
  expect(await timers.count()).toBe(2);
  for (const timer of [...kept, short]) clearTimeout(timer);
  expect(await timers.count()).toBe(0);
  timers.stop();
});
