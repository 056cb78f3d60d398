import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { measureLevel } from "@pipecat-ts/runner-testing";
import { createRTVI, createTransport, type RunnerArguments, type Transport } from "pipecat-runner";
import { expect, onTestFinished, test } from "vitest";
import { msPlayedAfter, silenceDb, silentWithinMs, talkativeBot, useBrowser } from "./fixture.ts";
import { routeThroughProxy } from "./network-cut.ts";
import { openPublishedClient, usePublishedClient } from "./published-client.ts";

// Pipecat's JavaScript client with its default media manager, which is built on daily-js.

const { start, openPage, expectEcho, expectEnded } = useBrowser().over("webrtc");
const addPublishedClient = usePublishedClient();

/** The transports of the bots, oldest first. */
const created: Transport[] = [];

async function echoBot(args: RunnerArguments): Promise<void> {
  const transport = await createTransport(args, { webrtc: () => ({ videoInEnabled: true }) });
  const rtvi = createRTVI(transport);
  rtvi.on("sendText", ({ content }) => rtvi.botOutput(`You wrote: ${content}`));
  created.push(transport);
  await transport.input.pipeTo(transport.output);
}

async function call(bot = echoBot) {
  const running = await start(bot, {}, addPublishedClient);
  const caller = await openPage(running.origin);
  await caller.page.context().grantPermissions(["camera", "microphone"]);
  await caller.page.addInitScript({ path: join(import.meta.dirname, "page/local-video.js") });
  const network = await routeThroughProxy(caller.page);
  onTestFinished(() => network[Symbol.asyncDispose]());
  const client = await openPublishedClient(caller, running.origin, "webrtc", "default");
  expect(await client.connectToBot()).toMatchObject({ version: expect.stringMatching(/^2\./) });
  return { running, caller, client, network };
}

test("the caller hears its own voice, writes, mutes the microphone, and hangs up", async () => {
  const { running, caller, client } = await call();
  await client.expectReady();
  await expectEcho(caller);
  await client.exchange("Good morning");
  await client.enableMic(false);
  await expect
    .poll(async () => measureLevel(await caller.listen("played", 500)), { timeout: 5_000 })
    .toBeLessThan(silenceDb);
  await client.enableMic(true);
  await expectEcho(caller);
  await client.disconnect();
  await expectEnded(running);
});

test("a client message interrupts the bot, which continues later", async () => {
  const { caller, client } = await call(talkativeBot);
  const playedMs = await msPlayedAfter(caller, () => client.sendClientMessage("interrupt"));
  expect(playedMs).toBeLessThan(silentWithinMs);
  await expectEcho(caller);
});

test("the call continues after 3 s without a network, and no text is lost", async () => {
  const { caller, client, network } = await call();
  await expectEcho(caller);
  network.cut(true);
  const exchanged = client.exchange("Can you hear me?");
  await sleep(3_000); // the outage
  expect(network.dropped()).toBeGreaterThan(100);
  network.cut(false);
  await exchanged;
  await expectEcho(caller);
});

test.each(["camera", "screen"] as const)("the bot takes a picture of the %s", async (source) => {
  const { caller, client } = await call();
  await client.expectReady();
  if (source === "camera") await client.enableCam(true);
  else await client.enableScreenShare(true);
  await expect.poll(() => caller.page.evaluate("openVideos()")).toEqual([source]);
  const picture = await created.at(-1)?.video?.snapshot({ source, timeoutMs: 10_000 });
  expect(picture).toMatchObject({ source, type: "image/webp" });
  expect(picture?.width).toBeGreaterThanOrEqual(320);
  await expectEcho(caller);
});
