import { setTimeout as sleep } from "node:timers/promises";
import { createRunner } from "@pipecat-ts/runner-host";
import { expect, test } from "vitest";
import { createRecordingLogger } from "./log.ts";
import { interceptUncaughtErrors } from "./uncaught-errors.ts";

test("errors outside all sessions can be taken, and are thrown again otherwise", async () => {
  const outer = interceptUncaughtErrors();
  const inner = interceptUncaughtErrors();
  inner.attribute(createRunner({ bot: () => undefined, logger: createRecordingLogger(), env: {} }));
  const [expected, unexpected] = [new Error("expected"), new Error("unexpected")];
  void Promise.reject(expected);
  setTimeout(() => {
    throw unexpected;
  });
  await sleep(20);
  expect(inner.take((error) => error === expected)).toEqual([expected]);
  expect(inner.take((error) => error === expected)).toEqual([]);
  expect(outer.take(() => true)).toEqual([]);
  inner.release();
  await sleep(0);
  expect(outer.take(() => true)).toEqual([unexpected]);
  outer.release();
});
