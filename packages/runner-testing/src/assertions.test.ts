import { AssertionError } from "node:assert";
import { expect, test } from "vitest";
import { expectSame, until, within } from "./assertions.ts";
import { watchTimers } from "./resources.ts";

test("expectSame ignores the order of keys, and names both values", () => {
  expectSame("the body", { a: 1, b: [{ c: 2, d: 3 }] }, { b: [{ d: 3, c: 2 }], a: 1 });
  expect(() => expectSame("the body", [1], [2])).toThrow("the body is [1], expected [2]");
});

test("until waits for the condition, and names one that does not hold in time", async () => {
  let checks = 0;
  await until("the third check", () => ++checks === 3, 5_000);
  expect(checks).toBe(3);
  const late = until("doomsday", () => false, 20);
  await expect(late).rejects.toThrow(new AssertionError({ message: "doomsday: not within 20 ms" }));
});

test("within returns what the promise resolves with, and names one that does not settle in time", async () => {
  expect(await within("seven", Promise.resolve(7), 5_000)).toBe(7);
  await expect(within("a failure", Promise.reject(new Error("no")), 5_000)).rejects.toThrow("no");
  await expect(within("doomsday", new Promise(() => undefined), 20)).rejects.toThrow("doomsday: not within 20 ms");
});

test("within leaves no timer behind", async () => {
  const timers = watchTimers();
  await within("seven", Promise.resolve(7), 60_000);
  expect(await timers.running()).toEqual([]);
  timers.stop();
});
