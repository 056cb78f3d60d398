import { until } from "@pipecat-ts/runner-testing";
import { expect, test, vi } from "vitest";
import { openStage } from "./test/stage.ts";

// Callers set up encrypted connections, which takes a machine with other work its time.
vi.setConfig({ testTimeout: 30_000 });

const trackStatus = (receiver_index: unknown, enabled: unknown) =>
  JSON.stringify({ type: "signalling", message: { type: "trackStatus", receiver_index, enabled } });

test("the bot is told which tracks are open as it comes, and whenever one changes", async () => {
  const told: unknown[] = [];
  const { call } = await openStage(async ({ transport }) => {
    transport.on("trackStatus", (track, enabled) => told.push([track, enabled]));
    await transport.closed;
  });
  const caller = await call();
  for (const text of [
    trackStatus(0, true),
    trackStatus(1, false),
    trackStatus(2, false),
    trackStatus(3, true),
    trackStatus(0, "yes"),
    trackStatus(0, false),
  ])
    caller.peer.channel?.send(text);
  await until("all are told", () => told.length >= 4, 2_000);
  expect(told).toEqual([
    ["microphone", true],
    ["camera", false],
    ["screen", false],
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
