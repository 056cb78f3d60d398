import { until } from "@pipecat-ts/runner-testing";
import { expect, test, vi } from "vitest";
import { openStage } from "./test/stage.ts";

// Callers set up encrypted connections, which takes a machine with other work its time.
vi.setConfig({ testTimeout: 30_000 });

const trackStatus = (receiver_index: unknown, enabled: unknown) =>
  JSON.stringify({ type: "signalling", message: { type: "trackStatus", receiver_index, enabled } });

test("the bot is told which tracks are open as it comes, and whenever one changes", async () => {
  const told: unknown[] = [];
  const { promise: heard, resolve } = Promise.withResolvers<void>();
  const { call } = await openStage(async ({ transport }) => {
    transport.on("trackStatus", (track, enabled) => told.push([track, enabled]));
    await transport.closed;
  }, heard);
  const caller = await call();
  const say = (...texts: string[]) => {
    for (const text of texts) caller.peer.channel?.send(text);
  };
  say(trackStatus(0, true), trackStatus(1, false));
  await until("it is on its way", () => caller.peer.channel?.bufferedAmount === 0, 2_000);
  resolve();
  await until("the bot is told what is open", () => told.length === 2, 2_000);
  say(trackStatus(2, true), trackStatus(3, true), trackStatus(0, "yes"), trackStatus(0, false));
  await until("the bot is told what changed", () => told.length === 4, 2_000);
  expect(told).toEqual([
    ["microphone", true],
    ["camera", false],
    ["screen", true],
    ["microphone", false],
  ]);
});

test.each(["finishes", "fails"])("a caller is told when the bot %s, however early", async (how) => {
  const { runner, call } = await openStage(async () => {
    if (how === "fails") throw new Error("no model");
  });
  const caller = await call();
  await caller.closed;
  expect(caller.signals).toEqual([{ type: "peerLeft" }]);
  await until("the session ended", () => runner.sessions.counts.active === 0, 1_000);
});
