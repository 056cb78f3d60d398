import { expect, onTestFinished, test, vi } from "vitest";
import { withTimeout } from "./timeout.ts";

test("work that settles in time is reported, also when it rejects", async () => {
  expect(await withTimeout(Promise.resolve(), 1_000)).toBe(true);
  expect(await withTimeout(Promise.reject(new Error("late")), new AbortController().signal)).toBe(true);
});

test("work that rejects after its limit causes no unhandled rejection", async () => {
  const unhandled = vi.fn();
  process.on("unhandledRejection", unhandled);
  onTestFinished(() => void process.off("unhandledRejection", unhandled));
  const { promise, reject } = Promise.withResolvers();
  expect(await withTimeout(promise, AbortSignal.abort())).toBe(false);
  reject(new Error("late"));
  await new Promise((resolve) => setImmediate(resolve));
  expect(unhandled).not.toHaveBeenCalled();
});
