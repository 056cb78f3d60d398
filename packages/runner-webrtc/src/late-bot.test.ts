import { until } from "@pipecat-ts/runner-testing";
import { expect, test } from "vitest";
import { hearOneself, openStage } from "./test/stage.ts";

test("a caller whose bot takes its time gets silence, and then the bot on the same track", {
  timeout: 30_000,
}, async () => {
  const { promise: loaded, resolve } = Promise.withResolvers<void>();
  const { call } = await openStage(undefined, loaded);
  const caller = await call();
  await until("silence comes", () => caller.peer.packets.length > 25, 5_000);
  const payloads = caller.peer.packets.map(({ payload }) => payload);
  expect(payloads).toEqual(payloads.map(() => Buffer.from([0xf8, 0xff, 0xfe])));
  resolve();
  await hearOneself(caller, 440);
  const [first, ...others] = caller.peer.packets.map(({ header }) => header);
  if (first === undefined) return expect.fail("Nothing came.");
  const ticks = others.map(({ timestamp }) => (timestamp - first.timestamp) >>> 0);
  const numbers = others.map(({ sequenceNumber }) => (sequenceNumber - first.sequenceNumber) & 0xffff);
  expect(ticks).toEqual(numbers.map((number) => number * 960));
  expect(new Set([first, ...others].map(({ ssrc }) => ssrc)).size).toBe(1);
});
