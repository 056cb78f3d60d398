import { createTransport } from "pipecat-runner";
import { expect, test } from "vitest";
import type { CallerPage } from "./caller-page.ts";
import { useJourney } from "./journey.ts";
import { openOurPage } from "./our-page.ts";

const { echoBot, start, openPage, expectEnded } = useJourney("websocket");

test("a full runner's refusal is told in its own words, and Connect works once there is room", async () => {
  const running = await start(echoBot, { maxSessions: 1 });
  const [first, second] = [await openPage(running.origin), await openPage(running.origin)];
  const [served, refused] = [await openOurPage(first, running.origin), await openOurPage(second, running.origin)];
  await served.connectToBot();
  await refused.connect.click();
  await refused.expectNotice(/^The session could not be started: .+ Press Connect to try again\.$/);
  await served.disconnect.click();
  await expectEnded(running);
  await refused.connectToBot();
  expect(await refused.notice.count()).toBe(0);
});

test.each([false, true])(
  "a bot that fails (after it took the call: %s) is told, and Connect calls it again",
  async (took) => {
    let calls = 0;
    const running = await start(async (args) => {
      calls++;
      if (calls > 1) return echoBot(args);
      if (took) await createTransport(args, { websocket: () => ({}) });
      throw new Error("no model");
    });
    const ours = await openOurPage(await openPage(running.origin), running.origin);
    await ours.connect.click();
    await ours.expectNotice(/^The bot failed and the call ended\. Check the runner's log\./);
    await ours.connectToBot();
  },
);

test("a runner with a key and tokens asks the person for the key, and a wrong one again", async () => {
  const running = await start(echoBot, { apiKey: "the-key-of-this-runner", webSocketAuth: "token" });
  const caller = await openPage(running.origin);
  const ours = await openOurPage(caller, running.origin);
  for (const key of ["a-wrong-key", "the-key-of-this-runner"]) {
    await ours.connect.click();
    await ours.expectNotice(/requires an API key/);
    await caller.page.getByLabel("API key").fill(key);
    await ours.button("Use this key").click();
    await ours.expectNotice(/Press Connect to use it/);
  }
  await ours.connectToBot();
  await caller.page.reload();
  await ours.connectToBot();
});

test("a bot that finishes ends the call without an alarm", async () => {
  const running = await start(async (args) => {
    await createTransport(args, { websocket: () => ({}) });
  });
  const ours = await openOurPage(await openPage(running.origin), running.origin);
  await ours.connect.click();
  await ours.expectNotice(/^The bot ended the call\.$/);
  await ours.connect.waitFor();
});

test("a runner that stops is told while it is called, and after", async () => {
  const running = await start(echoBot);
  const ours = await openOurPage(await openPage(running.origin), running.origin);
  await ours.connectToBot();
  await running.runner.close();
  await ours.expectNotice(/^The runner is shutting down and ended the call\./);
  await ours.connect.click();
  await ours.expectNotice(/does not answer\. It may have stopped\. Press Connect to try again\.$/);
  await ours.connect.waitFor();
});

test("something else that answers POST /start is told from the runner", async () => {
  const running = await start(echoBot);
  const caller = await openPage(running.origin);
  const ours = await openOurPage(caller, running.origin);
  await caller.page.route("**/start", (route) => route.fulfill({ status: 502, body: "<h1>Bad gateway</h1>" }));
  await ours.connect.click();
  await ours.expectNotice(/The answer to POST \/start did not come from the runner/);
  await caller.page.unroute("**/start");
  await ours.connectToBot();
});

test("without a microphone the bot is heard and can be written to", async () => {
  const running = await start(echoBot);
  const caller = await openPage(running.origin);
  await caller.page.addInitScript(
    `navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("Permission denied", "NotAllowedError"))`,
  );
  const ours = await openOurPage(caller, running.origin);
  await ours.connectToBot();
  await ours.expectNotice(/^The microphone is blocked\. .+ you can hear it and send it text\.$/);
  await ours.exchange("Can you read me?");
  await ours.disconnect.click();
  await expectEnded(running);
  await ours.connect.waitFor();
});

test("transports that the page does not speak are explained, those it speaks come first", async () => {
  const running = await start(echoBot);
  const caller = await openPage(running.origin);
  await offer(caller, ["twilio", "moq", "websocket"]);
  await openOurPage(caller, running.origin);
  const transport = caller.page.getByRole("combobox", { name: "Transport" });
  expect(await transport.textContent()).toBe("WebSocket");
  await transport.click();
  expect(await caller.page.getByRole("option").allTextContents()).toEqual(["WebSocket", "Twilio", "moq"]);
  await caller.page.getByRole("option", { name: "Twilio" }).click();
  await caller.page.getByRole("heading", { name: "Call the bot through Twilio" }).waitFor();
  await transport.click();
  await caller.page.getByRole("option", { name: "moq" }).click();
  await caller.page.getByRole("heading", { name: "Connect with a client for moq" }).waitFor();
});

test("a runner without a transport, and one that does not answer, are told; Try again looks again", async () => {
  const running = await start(echoBot);
  const caller = await openPage(running.origin);
  await offer(caller, []);
  await caller.page.goto(running.origin);
  await caller.page.getByText("This runner has no transport.").waitFor();
  await caller.page.route("**/status", (route) => route.abort());
  await caller.page.getByRole("button", { name: "Try again" }).click();
  await caller.page.getByText(`The runner at ${running.origin} does not answer.`).waitFor();
  await caller.page.unroute("**/status");
  await caller.page.getByRole("button", { name: "Try again" }).click();
  await caller.page.getByRole("button", { name: "Connect", exact: true }).waitFor();
});

async function offer({ page }: CallerPage, transports: readonly string[]): Promise<void> {
  await page.route("**/status", (route) => route.fulfill({ json: { status: "ready", transports } }));
}
