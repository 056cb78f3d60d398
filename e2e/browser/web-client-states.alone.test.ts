import { join } from "node:path";
import { tone } from "@pipecat-ts/runner-testing";
import axe from "axe-core";
import { createRTVI, createTransport, type RunnerArguments } from "pipecat-runner";
import type { Locator } from "playwright-core";
import { expect, test } from "vitest";
import type { CallerPage } from "./caller-page.ts";
import { useBrowser } from "./fixture.ts";
import { openWebClient } from "./web-client.ts";

const { echoBot, start, openPage, expectEnded } = useBrowser().over("webrtc");

const sizes = [
  { width: 1280, height: 800 },
  { width: 390, height: 844 },
] as const;
const themes = ["light", "dark"] as const;

/** A folder for a screenshot of each state, in both sizes and themes. Default: none are taken. */
const { PIPECAT_SCREENSHOTS: screenshots } = process.env;

/** The most that the first load may transfer before a call, in bytes. */
const maxFirstLoad = 150 * 1024;

/** Greets, talks until it is interrupted, answers texts with a tone, and fails if a text says so. */
async function scriptedBot(args: RunnerArguments): Promise<void> {
  const transport = await createTransport(args, { webrtc: () => ({ videoInEnabled: true }) });
  const rtvi = createRTVI(transport, { about: { name: "Front desk" } });
  rtvi.on("clientMessage", ({ type }) => {
    if (type === "interrupt") transport.interrupt();
  });
  const told = Promise.withResolvers<void>();
  rtvi.on("sendText", ({ content }) => {
    if (content === "Fail now") told.resolve();
    else transport.play(answer());
  });
  await rtvi.ready;
  await rtvi.userTranscription({ text: "Good morning. Do you have a table for two tonight?", final: true });
  const speech = transport.speak();
  speech.text("Good morning. Yes, at seven or at half past eight. Which of them suits you better?");
  await speech.write(tone(330, { durationMs: 60_000, sampleRate: 24_000 }));
  await Promise.race([told.promise, transport.closed]);
  await rtvi.error("The language model does not answer.", { fatal: true });
}

/** Half a second of silence, because an answer at once would be a bot that speaks over the caller. Then a tone. */
async function* answer() {
  yield { samples: new Int16Array(12_000), sampleRate: 24_000, channels: 1 } as const;
  yield tone(440, { durationMs: 1_000, sampleRate: 24_000 });
}

test("in every state, in both sizes and themes, axe finds nothing, and the first load is small", async () => {
  const running = await start(scriptedBot);
  const caller = await openPage(running.origin);
  const { page } = caller;
  await freezeStatistics(caller);
  const granted = await holdMicrophone(caller);
  const client = await openWebClient(caller, running.origin);
  expect(await page.evaluate<number>("performance.now()"), "ms until Connect is shown").toBeLessThan(3_000);
  const expectState = (words: string) => expect.poll(() => client.state.textContent(), { timeout: 30_000 }).toBe(words);
  await page.waitForFunction(`performance.getEntriesByType("resource").some(({ name }) => name.includes("/call-"))`);
  await page.evaluate("document.fonts.ready");
  expect(await transferred(caller)).toBeLessThan(maxFirstLoad);

  await expectAccessible(caller, "idle");
  await client.connect.click();
  await expectState("Allow the microphone in your browser");
  await expectAccessible(caller, "microphone");

  const offered = Promise.withResolvers<void>();
  await page.route("**/api/offer", async (route) => {
    await offered.promise;
    await route.fallback();
  });
  await granted();
  await expectState("Connecting…");
  await expectAccessible(caller, "connecting");
  offered.resolve();

  await expectState("The bot is speaking");
  await page.getByText("at seven").waitFor();
  await expect.poll(() => page.getByText("Round trip").locator("+ dd").textContent()).toMatch(/^\d+ ms$/);
  await page.getByRole("heading", { name: "Front desk" }).waitFor();
  expect(await announces(page.getByText("at seven")), "screen readers do not speak over the bot").toBe(false);
  await expectAccessible(caller, "in-call");
  await expectLevelInView(caller);
  await page.getByRole("tab", { name: "Events" }).click();
  await expectAccessible(caller, "events");
  expect(await page.evaluate("document.documentElement.scrollHeight"), "the list scrolls, not the page").toBe(844);
  await page.getByRole("tab", { name: "Conversation" }).click();

  await client.button("Interrupt").click();
  await expectState("The bot was interrupted");
  await expectAccessible(caller, "interrupted");

  await client.button("Mute the microphone").click(); // the end of the caller's speech
  await page.waitForTimeout(500); // The page must notice it before the bot begins.
  await page.getByPlaceholder("Type a message").fill("Answer");
  await client.button("Send").click();
  await expect.poll(() => page.getByText("Response").locator("+ dd").textContent()).toMatch(/^\d+ ms$/);

  await page.evaluate("stopPackets(true)");
  const stoppedAt = performance.now();
  await expectState("Reconnecting…"); // promised: 2 s. `call.test.ts` checks it exactly
  expect(performance.now() - stoppedAt).toBeLessThan(4_000);
  await expectAccessible(caller, "reconnecting");
  await page.evaluate("stopPackets(false)");
  await client.expectReady();

  await page.getByPlaceholder("Type a message").fill("Fail now");
  await client.button("Send").click();
  await expectState("The bot failed");
  await client.expectNotice(/^The bot reported: The language model does not answer\.$/);
  expect(await focused(caller), "the button Send has gone").toBe("Connect");
  await expectAccessible(caller, "bot-failed");

  await client.connectToBot();
  await client.disconnect.click();
  await expectState("Call ended");
  expect(await page.locator(".timer").textContent()).toMatch(/^Duration 0:0\d$/);
  await expectAccessible(caller, "ended");

  await page.route("**/start", (route) => route.fulfill({ status: 401, json: { detail: "A key is required." } }));
  await client.connect.click();
  await expectState("API key required");
  await expectAccessible(caller, "key-required");
  await page.getByLabel("API key").fill("wrong");
  await page.getByLabel("API key").press("Enter");
  await expectState("Wrong API key");
  await expectAccessible(caller, "key-wrong");

  const problem = {
    name: "twilio",
    reason: "Calls end only when their socket closes: the runner cannot hang up or transfer them.",
    fix: "Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.",
  };
  for (const [state, heading, status] of [
    ["phone-only", "Call the bot through Twilio", { transports: ["twilio"], problems: [problem] }],
    ["no-transport", "No transport", { transports: [] }],
  ] as const) {
    await page.unroute("**/status?problems");
    await page.route("**/status?problems", (route) => route.fulfill({ json: status }));
    await page.reload();
    await page.getByRole("heading", { name: heading }).waitFor();
    await expectAccessible(caller, state);
  }
  await expectEnded(running);
}, 120_000);

test("a call works with the keyboard alone", async () => {
  const running = await start(echoBot);
  const caller = await openPage(running.origin);
  const { page } = caller;
  const client = await openWebClient(caller, running.origin);
  const { keyboard } = page;
  /** Presses Tab until the focus is on the element with this accessible name. */
  const tabTo = async (name: string, key = "Tab") => {
    for (let presses = 0; presses < 30; presses++) {
      await keyboard.press(key);
      const focused = page.locator(":focus");
      if ((await focused.count()) === 0) continue;
      const label = (await focused.getAttribute("aria-label")) ?? (await focused.textContent());
      if (label?.trim() !== name) continue;
      expect(await focused.evaluate((element) => element.matches(":focus-visible"))).toBe(true);
      return;
    }
    expect.fail(`Tab does not reach "${name}".`);
  };

  await tabTo("Connect");
  await keyboard.press("Enter");
  await client.expectReady();
  await page.getByRole("status").getByText("In call").waitFor(); // what screen readers announce
  expect(await page.locator(":focus").textContent(), "the focus stays on the main button").toBe("Disconnect");
  await tabTo("Mute the microphone");
  await keyboard.press("Space");
  await client.button("Unmute the microphone").waitFor();
  await keyboard.press("Space");
  await tabTo("Interrupt");
  await keyboard.press("Enter");
  await tabTo("Open keypad");
  await keyboard.press("Enter");
  await tabTo("DTMF 5");
  await keyboard.press("Enter");
  await page.getByText("You pressed: 5", { exact: true }).waitFor();
  await tabTo("Message to the bot");
  await keyboard.type("Good morning");
  await keyboard.press("Enter");
  const answer = page.getByText("You wrote: Good morning", { exact: true });
  await answer.waitFor();
  expect(await announces(answer), "screen readers say what the bot only writes").toBe(true);
  await tabTo("Conversation", "Shift+Tab"); // the list
  await tabTo("Conversation", "Shift+Tab"); // the tab
  await keyboard.press("ArrowRight");
  await tabTo("Filter events");
  await keyboard.type("bot-output");
  await page.getByText("Good morning").first().waitFor();
  await tabTo("Pause");
  await keyboard.press("Space");
  const events = page.getByRole("list", { name: "Events" }).getByRole("listitem");
  expect(await events.locator("strong").allTextContents()).toEqual(["bot-output", "bot-output"]);
  await tabTo("Disconnect", "Shift+Tab");
  await keyboard.press("Enter");
  await client.expectNotice(/^You ended the call\.$/);
  await expectEnded(running);
  expect(await page.locator(":focus").textContent()).toBe("Connect");
});

test("the lists follow until the user scrolls up, events can be filtered, paused and copied, and the theme is remembered", async () => {
  const running = await start(echoBot);
  const caller = await openPage(running.origin);
  const { page } = caller;
  await page.context().grantPermissions(["microphone", "clipboard-read", "clipboard-write"]);
  await page.setViewportSize({ width: 390, height: 844 });
  const client = await openWebClient(caller, running.origin);
  await client.connectToBot();

  const conversation = page.getByRole("log", { name: "Conversation" });
  for (let index = 1; index <= 6; index++) await client.exchange(`Text ${index}`);
  await expect.poll(() => distanceToEnd(conversation)).toBeLessThan(2);
  const scroll = async (pixels: number) => {
    await conversation.hover();
    await page.mouse.wheel(0, pixels);
  };
  await scroll(-10_000);
  await expect.poll(() => scrollTop(conversation)).toBe(0);
  await client.exchange("Text 7");
  expect(await scrollTop(conversation), "the reader has scrolled up").toBe(0);
  await scroll(10_000);
  await expect.poll(() => distanceToEnd(conversation)).toBeLessThan(2);
  await client.exchange("Text 8");
  await expect.poll(() => distanceToEnd(conversation)).toBeLessThan(2);

  await page.getByRole("tab", { name: "Events" }).click();
  const events = page.getByRole("list", { name: "Events" });
  await expect.poll(() => distanceToEnd(events)).toBeLessThan(2);
  await client.button("Open keypad").click();
  await page.getByLabel("Filter events").fill("YOU PRESSED");
  const press = (key: string) => client.button(`DTMF ${key}`).click();
  const pressed = events.getByText(/You pressed: \d/).filter({ hasText: "aggregated_by" });
  await press("1");
  await expect.poll(() => pressed.count()).toBe(1);
  await client.button("Pause").click();
  await press("2");
  await page.getByRole("tab", { name: "Conversation" }).click();
  await page.getByText("You pressed: 2", { exact: true }).waitFor();
  await page.getByRole("tab", { name: "Events" }).click();
  expect(await pressed.count(), "paused, and filtered as before").toBe(1);
  await client.button("Copy").click();
  await client.button("Copied").waitFor();
  const lines = (await page.evaluate<string>("navigator.clipboard.readText()")).split("\n");
  expect(
    lines.every((line) => /^\d{4}-\d\d-\d\dT.+Z bot-\S+ \{.*You pressed: 1/.test(line)),
    lines.join("\n"),
  ).toBe(true);
  await client.button("Pause").click();
  await expect.poll(() => pressed.count()).toBe(2);
  await client.disconnect.click();

  const background = () => page.evaluate("getComputedStyle(document.documentElement).backgroundColor");
  await page.emulateMedia({ colorScheme: "light" });
  const light = await background();
  await client.button("Theme: system").click();
  expect(await background()).toBe(light);
  await client.button("Theme: light").click();
  const dark = await background();
  expect(dark).not.toBe(light);
  await page.reload();
  await client.button("Theme: dark").waitFor();
  expect(await background()).toBe(dark);
  await expectEnded(running);
});

test("a long name, a long text and a narrow page are shown without scrolling to the side", async () => {
  const name = "Reservationsdesk".repeat(20);
  const running = await start(async (args) => {
    const transport = await createTransport(args, { webrtc: () => ({}) });
    const rtvi = createRTVI(transport, { about: { name } });
    rtvi.on("sendText", ({ content }) => rtvi.botOutput(String(content.length)));
    await transport.closed;
  });
  const caller = await openPage(running.origin);
  const { page } = caller;
  await page.setViewportSize({ width: 320, height: 568 });
  const client = await openWebClient(caller, running.origin);
  await client.connectToBot();
  await page.getByRole("heading", { name }).waitFor();
  await page.getByPlaceholder("Type a message").focus();
  await page.keyboard.insertText("y".repeat(100_000));
  await page.keyboard.press("Enter");
  await page.getByText("10000", { exact: true }).waitFor();
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(320);
  await client.disconnect.click();
  await expectEnded(running);
});

/** The text of the element with the focus. */
const focused = ({ page }: CallerPage) => page.locator(":focus").textContent();
/** Whether screen readers announce the text of an element when it changes. */
const announces = (element: Locator) =>
  element.evaluate((node) => node.closest("[aria-live], [role=log]")?.getAttribute("aria-live") !== "off");

const scrollTop = (list: Locator) => list.evaluate((element) => element.scrollTop);
/** In pixels. */
const distanceToEnd = (list: Locator) =>
  list.evaluate(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight);

/** Checks that the level of the microphone moves, and that both sizes show all of it. */
async function expectLevelInView({ page }: CallerPage): Promise<void> {
  for (const size of sizes) {
    await page.setViewportSize(size);
    const bar = page.locator(".level-bar");
    const level = () => bar.getAttribute("style");
    const first = await level();
    await expect.poll(level).not.toBe(first);
    const { x = -1, y = -1, width = 0, height = 0 } = (await page.locator(".level").boundingBox()) ?? {};
    expect([x >= 0, x + width <= size.width, y + height <= size.height, width > 100]).toEqual(Array(4).fill(true));
    expect(await page.getByRole("meter", { name: "Microphone level" }).count()).toBe(1);
  }
}

/** Makes the page wait for the microphone until the returned function is called. */
async function holdMicrophone({ page }: CallerPage): Promise<() => Promise<unknown>> {
  await page.addInitScript(`{
    const { mediaDevices } = navigator;
    const open = mediaDevices.getUserMedia.bind(mediaDevices);
    const granted = new Promise((resolve) => { globalThis.grantMicrophone = resolve; });
    mediaDevices.getUserMedia = (wanted) => granted.then(() => open(wanted));
  }`);
  return () => page.evaluate("grantMicrophone()");
}

/**
 * Lets the test stop the packets in the page's statistics, for as long as axe needs. Tests with a network that is cut are in
 * `reconnection.alone.test.ts`.
 */
async function freezeStatistics({ page }: CallerPage): Promise<void> {
  await page.addInitScript(`{
    const { getStats } = RTCPeerConnection.prototype;
    let last, stopped = false;
    RTCPeerConnection.prototype.getStats = function () {
      if (!stopped) last = getStats.call(this);
      return last;
    };
    globalThis.stopPackets = (stop) => { stopped = stop; };
  }`);
}

/** The bytes that the page has transferred so far, without headers. */
async function transferred({ page }: CallerPage): Promise<number> {
  return await page.evaluate<number>(
    `["navigation", "resource"].flatMap((type) => performance.getEntriesByType(type)).reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)`,
  );
}

/** Where the main button was first, by the width of the page. */
const buttonAt = new Map<number, number>();

/** Runs axe in both sizes and themes, and checks that the main button is where it was before. */
async function expectAccessible({ page }: CallerPage, state: string): Promise<void> {
  if (await page.evaluate("!globalThis.axe")) await page.evaluate(axe.source);
  for (const size of sizes) {
    await page.setViewportSize(size);
    for (const { y } of await page
      .locator(".main-button")
      .evaluateAll((all) => all.map((button) => button.getBoundingClientRect()))) {
      const first = buttonAt.get(size.width) ?? y;
      buttonAt.set(size.width, first);
      expect(y, `${state}: top of the main button`).toBeCloseTo(first, 0);
    }
    for (const colorScheme of themes) {
      await page.emulateMedia({ colorScheme });
      const name = `${state}-${size.width}-${colorScheme}`;
      if (screenshots) await page.screenshot({ path: join(screenshots, `${name}.png`) });
      // The theme changes nothing but colors.
      const rules = colorScheme === themes[0] ? "" : `, runOnly: ["color-contrast"]`;
      const violations = await page.evaluate<unknown[]>(
        `axe.run({ resultTypes: ["violations"]${rules} }).then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => html + failureSummary)]))`,
      );
      expect(violations, name).toEqual([]);
    }
  }
}
