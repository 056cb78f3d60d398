import { measureLevel } from "@pipecat-ts/runner-testing";
import webrtc from "@pipecat-ts/runner-webrtc/plugin";
import websocket from "@pipecat-ts/runner-websocket/plugin";
import { expect, test } from "vitest";
import { type Fixture, msPlayedAfter, silenceDb, silentWithinMs, talkativeBot, useBrowser } from "./fixture.ts";
import { openWebClient } from "./web-client.ts";

const browser = useBrowser();
const labels = { webrtc: "WebRTC", websocket: "WebSocket" };

/** A page with the web client in a call. */
async function call({ transport, start, openPage, echoBot }: Fixture, bot = echoBot) {
  const options = transport === "webrtc" ? { pluginOptions: { webrtc: { callerTimeout: 3 } } } : {};
  const running = await start(bot, options);
  const caller = await openPage(running.origin);
  const client = await openWebClient(caller, running.origin);
  await client.connectToBot();
  return { running, caller, client };
}

test("the runner's address opens the client, and Connect calls the bot, which plays the caller's voice back", () =>
  browser.overBoth(async ({ transport, echoBot, start, openPage, expectEcho }) => {
    const running = await start(echoBot);
    const caller = await openPage(running.origin);
    const client = await openWebClient(caller, running.origin);
    expect(caller.page.url()).toBe(`${running.origin}/client/`);
    expect(await caller.page.title()).toBe("Pipecat Runner");
    expect(await client.transport.textContent()).toBe(labels[transport]);

    await client.connectToBot();
    expect(running.runner.sessions.counts).toEqual({ pending: 0, active: 1 });
    await expectEcho(caller);
  }));

test("the page shows the bot's answers to text and keys", () =>
  browser.overBoth(async (fixture) => {
    const { caller, client } = await call(fixture);
    await client.exchange("Good morning");
    await client.button("Open keypad").click();
    await client.button("DTMF 5").click();
    await caller.page.getByText("You pressed: 5", { exact: true }).waitFor();
  }));

test("Interrupt interrupts the bot, which continues later", () =>
  browser.overBoth(async (fixture) => {
    const { caller, client } = await call(fixture, talkativeBot);
    expect(await msPlayedAfter(caller, client.interrupt)).toBeLessThan(silentWithinMs);
    await fixture.expectEcho(caller);
    expect(await client.notice.count()).toBe(0);
    expect(await caller.page.getByPlaceholder("Type a message").count(), "the bot does not handle text").toBe(0);
  }));

test("the bot hears an unmuted microphone and not a muted one", () =>
  browser.overBoth(async (fixture) => {
    const { caller, client } = await call(fixture);
    await fixture.expectEcho(caller);
    await client.button("Mute the microphone").click();
    await expect
      .poll(async () => measureLevel(await caller.listen("played", 500)), { timeout: 5_000 })
      .toBeLessThan(silenceDb);
    await client.button("Unmute the microphone").click();
    await fixture.expectEcho(caller);
  }));

test("the caller can change the microphone during a call, which closes the previous one", () =>
  browser.overBoth(async (fixture) => {
    const { running, caller } = await call(fixture);
    await fixture.expectEcho(caller);
    await caller.page.getByLabel("Choose a microphone").selectOption("Fake Audio Input 2");
    await fixture.expectEcho(caller);
    expect(await caller.openMicrophones()).toEqual(["Fake Audio Input 2"]);
    expect(running.runner.sessions.counts).toEqual({ pending: 0, active: 1 });
  }));

test("Disconnect ends the session, and the next call works", () =>
  browser.overBoth(async (fixture) => {
    const { running, caller, client } = await call(fixture);
    await caller.listen("played", 500);
    await client.disconnect.click();
    await fixture.expectEnded(running);
    await client.expectNotice(/^You ended the call\.$/);
    await client.connectToBot();
    expect(await client.notice.count()).toBe(0);
    await fixture.expectEcho(caller);
  }));

test("a page that crashes ends its session", () =>
  browser.overBoth(async (fixture) => {
    const { running, caller } = await call(fixture);
    await caller.kill();
    await fixture.expectEnded(running);
  }));

test("the page prefers WebRTC to WebSocket", async () => {
  const { echoBot, start, openPage, expectEcho } = browser.over("webrtc");
  const running = await start(echoBot, { plugins: [websocket, webrtc] });
  const caller = await openPage(running.origin);
  const client = await openWebClient(caller, running.origin);
  expect(await client.transport.textContent()).toBe("WebRTC");
  const started = caller.page.waitForRequest((request) => request.url().endsWith("/start"));
  await client.connectToBot();
  expect((await started).postDataJSON()).toMatchObject({ transport: "webrtc" });
  await expectEcho(caller);
});
