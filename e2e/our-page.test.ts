import { measureLevel } from "@pipecat-ts/runner-testing";
import webrtc from "@pipecat-ts/runner-webrtc/plugin";
import websocket from "@pipecat-ts/runner-websocket/plugin";
import { describe, expect, test } from "vitest";
import type { CallerPage } from "./caller-page.ts";
import { msHeardAfter, talkativeBot } from "./interruption.ts";
import { missedWithinMs, silenceDb, silentWithinMs, useJourney } from "./journey.ts";
import { openOurPage } from "./our-page.ts";

describe.each([
  ["webrtc", "WebRTC"],
  ["websocket", "WebSocket"],
] as const)("over %s", (transport, label) => {
  const { echoBot, start, openPage, hearEcho, expectEnded } = useJourney(transport);

  test("the address leads to the client, Connect to the bot, and the caller's own voice comes back", async () => {
    const running = await start(echoBot);
    const caller = await openPage(running.origin);
    const ours = await openOurPage(caller, running.origin);
    expect(caller.page.url()).toBe(`${running.origin}/client/`);
    expect(await caller.page.title()).toBe("Pipecat Runner");
    expect(await ours.transport.textContent()).toBe(label);

    await ours.connectToBot();
    expect(running.runner.sessions.counts).toEqual({ pending: 0, active: 1 });
    await hearEcho(caller);
  });

  test("what is written is answered on the page", async () => {
    const running = await start(echoBot);
    const caller = await openPage(running.origin);
    const ours = await openOurPage(caller, running.origin);
    await ours.connectToBot();
    await ours.exchange("Good morning");
  });

  test("a key pressed on the page is answered", async () => {
    const running = await start(echoBot);
    const caller = await openPage(running.origin);
    const ours = await openOurPage(caller, running.origin);
    await ours.connectToBot();
    await ours.button("Open keypad").click();
    await ours.button("DTMF 5").click();
    await caller.page.getByText("You pressed: 5", { exact: true }).filter({ visible: true }).waitFor();
  });

  test("Interrupt silences the bot at once, which goes on afterwards", async () => {
    const running = await start(talkativeBot);
    const caller = await openPage(running.origin);
    const ours = await openOurPage(caller, running.origin);
    await ours.connectToBot();
    await caller.listen("heard", 500);
    expect(await msHeardAfter(caller, ours.interrupt)).toBeLessThan(silentWithinMs);
    await hearEcho(caller);
    expect(await ours.notice.count()).toBe(0);
  });

  test("a muted microphone is not heard, and one that is unmuted is", async () => {
    const running = await start(echoBot);
    const caller = await openPage(running.origin);
    const ours = await openOurPage(caller, running.origin);
    await ours.connectToBot();
    await hearEcho(caller);
    await ours.button("Mute the microphone").click();
    await expect
      .poll(async () => measureLevel(await caller.listen("heard", 500)), { timeout: 5_000 })
      .toBeLessThan(silenceDb);
    await ours.button("Unmute the microphone").click();
    await hearEcho(caller);
  });

  test("another microphone can be chosen in a call, and the first one is closed", async () => {
    const running = await start(echoBot);
    const caller = await openPage(running.origin);
    const ours = await openOurPage(caller, running.origin);
    await ours.connectToBot();
    await hearEcho(caller);
    await ours.button("Choose a microphone").click();
    await caller.page.getByRole("menuitemcheckbox", { name: "Fake Audio Input 2" }).click();
    await hearEcho(caller);
    expect(await caller.openMicrophones()).toEqual(["Fake Audio Input 2"]);
    expect(running.runner.sessions.counts).toEqual({ pending: 0, active: 1 });
  });

  test("Disconnect ends the session, and the next call is heard as the first was", async () => {
    const running = await start(echoBot);
    const caller = await openPage(running.origin);
    const ours = await openOurPage(caller, running.origin);
    await ours.connectToBot();
    await caller.listen("heard", 500);
    await ours.disconnect.click();
    await expectEnded(running);
    await ours.connect.waitFor();
    expect(await ours.notice.count()).toBe(0);
    await ours.connectToBot();
    await hearEcho(caller);
  });

  test("every control has a name by which it can be called", async () => {
    const running = await start(echoBot);
    const caller = await openPage(running.origin);
    const ours = await openOurPage(caller, running.origin);
    await ours.connectToBot();
    expect(await namelessControls(caller)).toEqual([]);
    await ours.button("Hide details").click();
    await ours.button("Show details").waitFor();
    expect(await namelessControls(caller)).toEqual([]);
    await caller.page.setViewportSize({ width: 360, height: 640 });
    expect(await namelessControls(caller)).toEqual([]);
  });

  test("a page that dies ends its session", async () => {
    const running = await start(echoBot);
    const caller = await openPage(running.origin);
    const ours = await openOurPage(caller, running.origin);
    await ours.connectToBot();
    await caller.kill();
    await expectEnded(running, missedWithinMs[transport]);
  });

  test("on a phone the same can be done", async () => {
    const running = await start(echoBot);
    const caller = await openPage(running.origin);
    await caller.page.setViewportSize({ width: 360, height: 640 });
    const ours = await openOurPage(caller, running.origin);
    await ours.connect.click();
    await ours.disconnect.waitFor();
    await caller.page.getByRole("tab", { name: "Conversation" }).filter({ visible: true }).first().click();
    await ours.exchange("On my way");
    await ours.disconnect.click();
    await expectEnded(running);
  });
});

describe("where the runner has both", () => {
  const { echoBot, start, openPage, hearEcho } = useJourney("webrtc");

  test("the page names WebRTC and calls by it", async () => {
    const running = await start(echoBot, { plugins: [websocket, webrtc] });
    const caller = await openPage(running.origin);
    const ours = await openOurPage(caller, running.origin);
    expect(await ours.transport.textContent()).toBe("WebRTC");
    const started = caller.page.waitForRequest((request) => request.url().endsWith("/start"));
    await ours.connectToBot();
    expect((await started).postDataJSON()).toMatchObject({ transport: "webrtc" });
    await hearEcho(caller);
  });
});

async function namelessControls({ page }: CallerPage): Promise<string[]> {
  const lines = (await page.locator("body").ariaSnapshot()).split("\n");
  return lines.filter((line) => /^\s*- (button|combobox|option|tab|textbox)\b(?! ")/.test(line));
}
