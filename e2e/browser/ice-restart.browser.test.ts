import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { AudioFrame } from "@pipecat-ts/audio";
import { findGaps, join as joinFrames, measureLevel, tone, until } from "@pipecat-ts/runner-testing";
import { createTransport } from "pipecat-runner";
import { expect, test } from "vitest";
import { useBrowser } from "./fixture.ts";

const restarts = 30;
const everyMs = 400;
/** The longest silence during a restart. */
const maxSilenceMs = 250;

const { start, openPage } = useBrowser().over("webrtc");

test("30 ICE restarts in one call cause at most 250 ms of silence each, in both directions", async () => {
  const heard: AudioFrame[] = [];
  const { origin } = await start(async (args) => {
    const transport = await createTransport(args, { webrtc: () => ({}) });
    transport.play(minuteOfTone());
    for await (const frame of transport.listen()) heard.push(frame);
  });
  const { page } = await openPage(origin);
  await page.addInitScript({ path: join(import.meta.dirname, "page/restarting-caller.js") });
  await page.goto(origin);
  await page.evaluate("startCall()");
  await page.waitForFunction("arrivals.length > 50");
  await until("the bot hears the tone", () => measureLevel(joinFrames(heard.slice(-5))) > -40, 5_000);

  heard.length = 0;
  await page.evaluate("arrivals.length = 0");
  for (let count = 0; count < restarts; count++) await Promise.all([page.evaluate("restartIce()"), sleep(everyMs)]);
  const arrivals = await page.evaluate<number[]>("arrivals");
  const pauses = arrivals.slice(1).map((atMs, index) => atMs - (arrivals[index] ?? 0));
  const silences = findGaps(joinFrames(heard)).map(({ durationMs }) => durationMs);
  expect(pauses.length).toBeGreaterThan((restarts * everyMs) / 25);
  expect(Math.max(...pauses)).toBeLessThanOrEqual(maxSilenceMs);
  expect(Math.max(0, ...silences)).toBeLessThanOrEqual(maxSilenceMs);
});

async function* minuteOfTone() {
  yield tone(330, { durationMs: 60_000, sampleRate: 24_000 });
}
