import { resolveOptions } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { callFlags } from "./flags.ts";

const read = (given: Readonly<Record<string, string>>) => resolveOptions(callFlags, { given, env: {} });

test("durations have the unit ms, s or m", () => {
  const values = ["800ms", "20s", "1.5s", "2 m"].map((hangUp) => read({ hangUp }).hangUp);
  expect(values).toEqual([800, 20_000, 1_500, 120_000]);
});

test("keys, rates, conditions and the body are parsed", () => {
  expect([read({ loss: "2.5%" }).loss, read({ jitter: "40ms" }).jitter]).toEqual([0.025, 40]);
  expect(read({ dtmf: "1@3s, 42#@500ms" }).dtmf).toEqual([
    { keys: "1", atMs: 3_000 },
    { keys: "42#", atMs: 500 },
  ]);
  expect([read({ ramp: "2/s" }).ramp, read({ ramp: "0.5" }).ramp]).toEqual([2, 0.5]);
  expect(read({ expect: "first-audio<800ms,gaps<=1" }).expect.map(({ value }) => value)).toEqual([800, 1]);
  expect([read({ body: '{"plan":"gold"}' }).body, read({ body: "0" }).body]).toEqual([{ plan: "gold" }, 0]);
});

test.each([
  [{ loss: "5" }, '--loss cannot be "5". Use a share from 0% to 100%, like 5%.'],
  [{ loss: "101%" }, '--loss cannot be "101%".'],
  [{ jitter: "2s" }, '--jitter cannot be "2s". Use a duration up to 1 s, like 40ms.'],
  [{ hangUp: "soon" }, '--hang-up cannot be "soon". Use a duration up to 1 h, like 20s or 800ms.'],
  [{ hangUp: "2h" }, '--hang-up cannot be "2h".'],
  [{ hangUp: "20" }, '--hang-up cannot be "20". Use a duration up to 1 h, like 20s or 800ms.'],
  [{ dtmf: "1@3" }, '--dtmf cannot be "1@3".'],
  [{ expect: "duration<20" }, '--expect cannot be "duration<20". Use conditions like first-audio<800ms, gaps<=2'],
  [{ bargeIn: "-1s" }, '--barge-in cannot be "-1s".'],
  [{ dtmf: "x@3s" }, '--dtmf cannot be "x@3s". Use keys and a time, like 1@3s or 42#@500ms.'],
  [{ dtmf: "1" }, '--dtmf cannot be "1".'],
  [{ ramp: "fast" }, '--ramp cannot be "fast". Use a number of calls per second, like 2/s.'],
  [{ calls: "0" }, '--calls cannot be "0".'],
  [{ body: "{" }, '--body cannot be "{". Use JSON.'],
  [{ url: "ftp://x" }, '--url cannot be "ftp://x". Use the URL of a runner, like http://localhost:7860.'],
  [{ expect: "speed<3" }, '--expect cannot be "speed<3". Use conditions like first-audio<800ms, gaps<=2'],
])("%j is rejected", (given, message) => {
  expect(() => read(given)).toThrow(
    expect.toSatisfy(
      (error) => error.code === "OPTION_INVALID" && `${error.message} ${error.fix}`.startsWith(message),
      message,
    ),
  );
});
