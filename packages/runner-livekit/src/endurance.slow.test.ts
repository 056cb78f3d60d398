import { countSettledResources, settleResources } from "@pipecat-ts/runner-testing";
import { expect, test } from "vitest";
import { openLiveKitRunner } from "./test/livekit-runner.ts";

test("200 sessions leave nothing behind, however they end", async () => {
  const fixture = await openLiveKitRunner({ livekit: { emptyRoomTimeout: 1 } });
  const { runner, api, rooms, call, start, ended } = fixture;
  const scenarios: readonly (() => Promise<unknown>)[] = [
    async () => await (await call()).caller.hangUp(),
    async () => (await call()).caller.drop(),
    () => start({ fails: true }),
    () => start(), // no caller joins
    async () => (await call()).bot.listener.disconnected("SERVER_SHUTDOWN"),
  ];
  for (const run of scenarios) await run();
  await ended(10_000);
  const before = await countSettledResources();
  for (let session = 0; session < 200; session += scenarios.length) {
    for (const run of scenarios) await run();
  }
  expect(await ended(20_000)).toHaveLength(200 + scenarios.length);
  expect(await settleResources(before, 10_000)).toEqual([]);
  expect(runner.sessions.counts).toEqual({ pending: 0, active: 0 });
  expect(api.rooms.size).toBe(0);
  expect(rooms.count).toBe(0);
});
