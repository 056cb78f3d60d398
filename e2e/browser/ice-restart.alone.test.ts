import { setTimeout as sleep } from "node:timers/promises";
import { findGaps, join } from "@pipecat-ts/runner-testing";
import { expect, test } from "vitest";
import { useBrowser } from "./fixture.ts";
import { openPeerCall } from "./peer-caller.ts";

const restarts = 30;
const everyMs = 400;
/** The longest silence during a restart. */
const maxSilenceMs = 250;

const fixture = useBrowser().over("webrtc");

test("30 ICE restarts in one call cause at most 250 ms of silence each, in both directions", async () => {
  const { heard, evaluate } = await openPeerCall(fixture, [["audio", "sendrecv"]]);
  heard.length = 0;
  await evaluate("arrivals.length = 0");
  for (let count = 0; count < restarts; count++)
    await Promise.all([evaluate("negotiate({ iceRestart: true })"), sleep(everyMs)]);
  const arrivals = await evaluate<number[]>("arrivals");
  const pauses = arrivals.slice(1).map((atMs, index) => atMs - (arrivals[index] ?? 0));
  const silences = findGaps(join(heard)).map(({ durationMs }) => durationMs);
  expect(pauses.length).toBeGreaterThan((restarts * everyMs) / 25);
  expect(Math.max(...pauses)).toBeLessThanOrEqual(maxSilenceMs);
  expect(Math.max(0, ...silences)).toBeLessThanOrEqual(maxSilenceMs);
});
