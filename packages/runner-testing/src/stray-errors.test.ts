import { setTimeout as sleep } from "node:timers/promises";
import { createRunner } from "@pipecat-ts/runner-host";
import { expect, test } from "vitest";
import { createRecordingLogger } from "./log.ts";
import { interceptStrayErrors } from "./stray-errors.ts";

test("an error of nobody's is claimed by whom it concerns, and thrown on when nobody does", async () => {
  const outer = interceptStrayErrors();
  const inner = interceptStrayErrors();
  inner.attribute(createRunner({ bot: () => undefined, logger: createRecordingLogger(), env: {} }));
  const [mine, nobodys] = [new Error("mine"), new Error("nobody's")];
  void Promise.reject(mine);
  setTimeout(() => {
    throw nobodys;
  });
  await sleep(20);
  expect(inner.claim((error) => error === mine)).toEqual([mine]);
  expect(inner.claim((error) => error === mine)).toEqual([]);
  expect(outer.claim(() => true)).toEqual([]);
  inner.release();
  await sleep(0);
  expect(outer.claim(() => true)).toEqual([nobodys]);
  outer.release();
});
