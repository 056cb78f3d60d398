import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFileStorage } from "@pipecat-ts/runner-files";
import { measureLevel } from "@pipecat-ts/runner-testing";
import { createRTVI, createTransport, type RunnerArguments } from "pipecat-runner";
import { expect, onTestFinished, test } from "vitest";
import type { RunningRunner } from "../runner.ts";
import type { CallerPage } from "./caller-page.ts";
import { type Fixture, msPlayedAfter, silenceDb, silentWithinMs, talkativeBot, useBrowser } from "./fixture.ts";
import { openPublishedClient, type PublishedClient, usePublishedClient } from "./published-client.ts";

const addPublishedClient = usePublishedClient();

interface Call {
  readonly running: RunningRunner;
  readonly caller: CallerPage;
  readonly client: PublishedClient;
}

const browser = useBrowser();

async function call({ transport, start, openPage, echoBot }: Fixture, bot = echoBot): Promise<Call> {
  const options = transport === "webrtc" ? { pluginOptions: { webrtc: { callerTimeout: 3 } } } : {};
  const running = await start(bot, options, addPublishedClient);
  const caller = await openPage(running.origin);
  const client = await openPublishedClient(caller, running.origin, transport);
  expect(await client.connectToBot()).toMatchObject({ version: expect.stringMatching(/^2\./) });
  return { running, caller, client };
}

test("the published client becomes ready and plays the caller's own voice", () =>
  browser.overBoth(async (fixture) => {
    const { running, caller, client } = await call(fixture);
    await client.expectReady();
    expect(running.runner.sessions.counts).toEqual({ pending: 0, active: 1 });
    await fixture.expectEcho(caller);
    if (fixture.transport === "webrtc") expect(await client.cipher()).toBe("SRTP_AEAD_AES_128_GCM");
  }));

test("the bot answers text", () =>
  browser.overBoth(async (fixture) => {
    const { client } = await call(fixture);
    await client.exchange("Good morning");
    expect(await client.events("botOutput")).toMatchObject([{ text: "You wrote: Good morning" }]);
    expect(await client.events("messageError")).toEqual([]);
  }));

test("a client message interrupts the bot, which continues later", () =>
  browser.overBoth(async (fixture) => {
    const { caller, client } = await call(fixture, talkativeBot);
    const playedMs = await msPlayedAfter(caller, () => client.sendClientMessage("interrupt"));
    expect(playedMs).toBeLessThan(silentWithinMs);
    await fixture.expectEcho(caller);
    expect(await client.events("messageError")).toEqual([]);
  }));

test("the bot hears an unmuted microphone and not a muted one", () =>
  browser.overBoth(async (fixture) => {
    const trackStates: unknown[] = [];
    const { caller, client } = await call(fixture, async (args) => {
      if (args.transport !== "webrtc") return fixture.echoBot(args);
      const { on, input, output } = await createTransport(args, { webrtc: () => ({}) });
      on("trackStatus", (track, enabled) => trackStates.push([track, enabled]));
      await input.pipeTo(output);
    });
    await client.expectReady();
    await fixture.expectEcho(caller);
    trackStates.length = 0;
    await client.enableMic(false);
    await expect
      .poll(async () => measureLevel(await caller.listen("played", 500)), { timeout: 5_000 })
      .toBeLessThan(silenceDb);
    await client.enableMic(true);
    await fixture.expectEcho(caller);
    // Only WebRTC reports the state of the microphone.
    const expected =
      fixture.transport === "webrtc"
        ? [
            ["microphone", false],
            ["microphone", true],
          ]
        : [];
    await expect.poll(() => trackStates).toEqual(expected);
  }));

test("disconnecting ends the session", () =>
  browser.overBoth(async (fixture) => {
    const { running, caller, client } = await call(fixture);
    // The WebSocket client throws when it disconnects before it has found the microphone.
    await caller.listen("spoken", 200);
    await client.disconnect();
    await fixture.expectEnded(running);
  }));

test("a page that crashes ends its session", () =>
  browser.overBoth(async (fixture) => {
    const { running, caller } = await call(fixture);
    await caller.kill();
    await fixture.expectEnded(running);
  }));

test("the published client sends files over WebRTC, by URL and as bytes", async () => {
  const folder = await mkdtemp(join(tmpdir(), "pipecat-uploads-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const { start, openPage } = browser.over("webrtc");
  const bot = async (args: RunnerArguments): Promise<void> => {
    const transport = await createTransport(args, { webrtc: () => ({}) });
    const rtvi = createRTVI(transport);
    rtvi.on("sendFile", async ({ content, name, load }) => {
      const bytes = await load(args.fileStorage);
      if (bytes) void rtvi.sendServerMessage({ content, name, text: Buffer.from(bytes).toString() });
    });
    await transport.closed;
  };
  const { origin } = await start(bot, { fileStorage: createFileStorage({ folder }) }, addPublishedClient);
  const client = await openPublishedClient(await openPage(origin), origin, "webrtc");
  await client.connectToBot();
  await client.expectReady();
  const received = () => client.events("serverMessage");
  const uploaded = { content: "Read it.", name: "note.txt", text: "hello" };
  await client.sendFile("hello");
  await expect.poll(received).toEqual([uploaded]);
  const text = "x".repeat(30_000);
  await client.sendFile("", { type: "bytes", bytes: Buffer.from(text).toString("base64") });
  await expect.poll(received).toEqual([uploaded, { content: "Read it.", text }]);
  await client.sendFile("", { type: "url", url: "pipecat:nothing" });
  await expect
    .poll(() => client.events("messageError"))
    .toMatchObject([{ data: { error: expect.stringContaining("pipecat:nothing does not exist in this session") } }]);
});
