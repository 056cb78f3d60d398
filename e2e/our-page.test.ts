import { until } from "@pipecat-ts/runner-testing";
import { expect, test } from "vitest";
import type { CallerPage } from "./caller-page.ts";
import { useJourney } from "./journey.ts";
import { openOurPage } from "./our-page.ts";

const { echoBot, start, openPage, hearEcho, expectEnded } = useJourney();

test("the address leads to the client, Connect to the bot, and the caller's own voice comes back", async () => {
  const running = await start(echoBot);
  const caller = await openPage(running.origin);
  const ours = await openOurPage(caller, running.origin);
  expect(caller.page.url()).toBe(`${running.origin}/client/`);
  expect(await caller.page.title()).toBe("Pipecat Runner");

  await ours.connectToBot();
  expect(running.runner.sessions.counts).toEqual({ pending: 0, active: 1 });
  await hearEcho(caller);
});

test("what is written is answered on the page", async () => {
  const running = await start(echoBot);
  const caller = await openPage(running.origin);
  const ours = await openOurPage(caller, running.origin);
  await ours.connectToBot();
  await ours.write("Good morning");
  await caller.page.getByText("You wrote: Good morning", { exact: true }).filter({ visible: true }).waitFor();
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

test("Interrupt stops the bot, which goes on afterwards", async () => {
  const running = await start(echoBot);
  const caller = await openPage(running.origin);
  const ours = await openOurPage(caller, running.origin);
  await ours.connectToBot();
  await caller.listen("heard", 500);
  expect(caller.interruptions()).toBe(0);
  await ours.button("Interrupt").click();
  await until("the server says that its audio is void", () => caller.interruptions() === 1, 2_000);
  await hearEcho(caller);
  expect(await ours.notice.count()).toBe(0);
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
  await expectEnded(running);
});

test("on a phone the same can be done", async () => {
  const running = await start(echoBot);
  const caller = await openPage(running.origin);
  await caller.page.setViewportSize({ width: 360, height: 640 });
  const ours = await openOurPage(caller, running.origin);
  await ours.connect.click();
  await ours.disconnect.waitFor();
  await caller.page.getByRole("tab", { name: "Conversation" }).filter({ visible: true }).first().click();
  await ours.write("On my way");
  await caller.page.getByText("You wrote: On my way", { exact: true }).filter({ visible: true }).waitFor();
  await ours.disconnect.click();
  await expectEnded(running);
});

async function namelessControls({ page }: CallerPage): Promise<string[]> {
  const lines = (await page.locator("body").ariaSnapshot()).split("\n");
  return lines.filter((line) => /^\s*- (button|combobox|option|tab|textbox)\b(?! ")/.test(line));
}
