import { createSocket } from "node:dgram";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { createTransport } from "pipecat-runner";
import { describe, expect, onTestFinished, test } from "vitest";
import type { CallerPage } from "./caller-page.ts";
import { useBrowser } from "./fixture.ts";
import { openWebClient } from "./web-client.ts";

const browser = useBrowser();

/** What the page shows after `throw new Error("no model")` in this file. */
const failureWithPlace =
  /^The bot reported: .*web-client-errors\.page\.test\.ts:\d+: Error: no model\. Correct that line\.$/;

describe.each(["websocket", "webrtc"] as const)("over %s", (transport) => {
  const { echoBot, start, openPage, expectEnded } = browser.over(transport);

  test("without a microphone, the caller can still send text", async () => {
    const running = await start(echoBot);
    const caller = await openPage(running.origin);
    await caller.page.addInitScript(
      `navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("Permission denied", "NotAllowedError"))`,
    );
    const client = await openWebClient(caller, running.origin);
    await client.connectToBot();
    await client.expectNotice(/^The microphone is blocked\. .+ you can hear it and send it text\.$/);
    await client.exchange("Can you read me?");
    await client.disconnect.click();
    await expectEnded(running);
    await client.connect.waitFor();
  });
});

describe("over websocket", () => {
  const { echoBot, start, openPage, expectEnded } = browser.over("websocket");

  test("a full runner's error is shown, and Connect works when a place is free", async () => {
    const running = await start(echoBot, { maxSessions: 1 });
    const [first, second] = [await openPage(running.origin), await openPage(running.origin)];
    const [served, refused] = [await openWebClient(first, running.origin), await openWebClient(second, running.origin)];
    await served.connectToBot();
    await refused.connect.click();
    await refused.expectNotice(/^The session could not be started: .+ Press Connect to try again\.$/);
    await served.disconnect.click();
    await expectEnded(running);
    await refused.connectToBot();
    expect(await refused.notice.count()).toBe(0);
  });

  test.each([false, true])(
    "a bot that fails is reported, and Connect calls it again (after createTransport: %s)",
    async (hasTransport) => {
      let calls = 0;
      const running = await start(async (args) => {
        calls++;
        if (calls > 1) return echoBot(args);
        if (hasTransport) await createTransport(args, { websocket: () => ({}) });
        throw new Error("no model");
      });
      const client = await openWebClient(await openPage(running.origin), running.origin);
      await client.connect.click();
      await client.expectNotice(failureWithPlace);
      await client.connectToBot();
    },
  );

  test("with an API key and tokens, the page asks for the key until it is correct", async () => {
    const running = await start(echoBot, { apiKey: "the-key-of-this-runner", webSocketAuth: "token" });
    const caller = await openPage(running.origin);
    const client = await openWebClient(caller, running.origin);
    await client.connect.click();
    await client.expectNotice(/requires an API key/);
    await caller.page.getByLabel("API key").fill("a-wrong-key");
    await client.button("Use this key").click();
    await client.expectNotice(/^The runner rejected this API key\.$/);
    await caller.page.getByLabel("API key").fill("the-key-of-this-runner");
    await caller.page.getByLabel("API key").press("Enter");
    await client.expectReady();
    await client.disconnect.click();
    await client.connectToBot();
    await caller.page.reload();
    await client.connectToBot();
  });

  test("a bot that returns ends the call without an error", async () => {
    const running = await start(async (args) => {
      await createTransport(args, { websocket: () => ({}) });
    });
    const client = await openWebClient(await openPage(running.origin), running.origin);
    await client.connect.click();
    await client.expectNotice(/^The bot ended the call\.$/);
    await client.connect.waitFor();
  });

  test("a runner that stops is reported during a call and on Connect", async () => {
    const running = await start(echoBot);
    const client = await openWebClient(await openPage(running.origin), running.origin);
    await client.connectToBot();
    await running.runner.close();
    await client.expectNotice(/^The runner is shutting down and ended the call\./);
    await client.connect.click();
    await client.expectNotice(/does not answer\. It may have stopped\. Press Connect to try again\.$/);
    await client.connect.waitFor();
  });

  test("a response to POST /start from another server is reported", async () => {
    const running = await start(echoBot);
    const caller = await openPage(running.origin);
    const client = await openWebClient(caller, running.origin);
    await caller.page.route("**/start", (route) => route.fulfill({ status: 502, body: "<h1>Bad gateway</h1>" }));
    await client.connect.click();
    await client.expectNotice(/The answer to POST \/start did not come from the runner/);
    await caller.page.unroute("**/start");
    await client.connectToBot();
  });

  test("the page lists its own transports first and explains the others", async () => {
    const running = await start(echoBot);
    const caller = await openPage(running.origin);
    await setTransports(caller, ["twilio", "moq", "websocket"]);
    await openWebClient(caller, running.origin);
    const transport = caller.page.getByRole("combobox", { name: "Transport" });
    expect(await transport.getByRole("option").allTextContents()).toEqual(["WebSocket", "Twilio", "moq"]);
    expect(await transport.inputValue()).toBe("websocket");
    await transport.selectOption("twilio");
    await caller.page.getByRole("heading", { name: "Call the bot through Twilio" }).waitFor();
    await transport.selectOption("moq");
    await caller.page.getByRole("heading", { name: "Connect with a client for moq" }).waitFor();
    await caller.page.getByText(`curl ${running.origin}/start -d '{"transport": "moq"}'`).waitFor();
  });

  test("a runner with a key, which does not say what is missing, is started with the key", async () => {
    const running = await start(echoBot);
    const caller = await openPage(running.origin);
    await setTransports(caller, ["moq"], {});
    await caller.page.goto(running.origin);
    await caller.page
      .getByText(`curl ${running.origin}/start -H 'Authorization: Bearer <key>' -d '{"transport": "moq"}'`)
      .waitFor();
  });

  test("a runner without transports and a runner that does not answer are reported, and Try again reloads the status", async () => {
    const running = await start(echoBot);
    const caller = await openPage(running.origin);
    await setTransports(caller, []);
    await caller.page.goto(running.origin);
    await caller.page.getByText("This runner has no transport.").waitFor();
    await caller.page.route("**/status?problems", (route) => route.abort());
    await caller.page.getByRole("button", { name: "Try again" }).click();
    await caller.page.getByText(`The runner at ${running.origin} does not answer.`).waitFor();
    await caller.page.unroute("**/status?problems");
    await caller.page.getByRole("button", { name: "Try again" }).click();
    await caller.page.getByRole("button", { name: "Connect", exact: true }).waitFor();
  });
});

describe("over webrtc", () => {
  const { echoBot, start, openPage } = browser.over("webrtc");

  const callEnded = /^The bot or the runner ended the call\. If you did not expect this, check the runner's log\.$/;

  test("an offer for an ended session shows the runner's error, and the next call works", async () => {
    const running = await start(echoBot);
    const caller = await openPage(running.origin);
    const client = await openWebClient(caller, running.origin);
    await changeSession(caller, () => "0b5e9f4e-0000-4000-8000-000000000000");
    await client.connect.click();
    await client.expectNotice(/^The connection to the bot failed: The session does not exist or has ended\./);
    await caller.page.unroute("**/start");
    await client.connectToBot();
  });

  test("an offer for a session that has a caller shows the runner's error", async () => {
    const running = await start(echoBot);
    const [first, second] = [await openPage(running.origin), await openPage(running.origin)];
    const served = await openWebClient(first, running.origin);
    let takenId = "";
    await changeSession(first, (id) => {
      takenId = id;
      return id;
    });
    await served.connectToBot();
    const refused = await openWebClient(second, running.origin);
    await changeSession(second, () => takenId);
    await refused.connect.click();
    await refused.expectNotice(/^The connection to the bot failed: The caller of session ".+" is connected already\./);
    await served.exchange("Undisturbed");
  });

  test("an offer to a runner that is full by now shows the runner's error", async () => {
    const running = await start(echoBot, { maxSessions: 1 });
    const [first, second] = [await openPage(running.origin), await openPage(running.origin)];
    const [served, refused] = [await openWebClient(first, running.origin), await openWebClient(second, running.origin)];
    await changeSession(second, async (id) => {
      await served.connectToBot();
      return id;
    });
    await refused.connect.click();
    await refused.expectNotice(/^The connection to the bot failed: All places for calls are taken\./);
  });

  test("an offer to a runner without a free port is retried, and then shows the runner's error", async () => {
    const taken = createSocket("udp4").bind(0, "0.0.0.0");
    onTestFinished(() => void taken.close());
    await once(taken, "listening");
    const { port } = taken.address();
    // With `announceIp`, the runner binds the port on all addresses.
    const webrtc = { udpPorts: [port, port], announceIp: "127.0.0.1" };
    const running = await start(echoBot, { pluginOptions: { webrtc } });
    const caller = await openPage(running.origin);
    await caller.page.clock.install();
    const client = await openWebClient(caller, running.origin);
    await client.connect.click();
    const shown = client.expectNotice(/^The connection to the bot failed: .+ UDP port/).then(() => true);
    // Skips the client's pauses between its offers.
    while (!(await Promise.race([shown, sleep(200)]))) await caller.page.clock.fastForward(1_000);
  });

  test("a network that passes HTTP only is reported with a hint", async () => {
    const running = await start(echoBot);
    const caller = await openPage(running.origin);
    await caller.page.clock.install();
    const client = await openWebClient(caller, running.origin);
    const answered = caller.page.waitForResponse("**/api/offer");
    await caller.page.route("**/api/offer", async (route) => {
      if (route.request().method() === "PATCH") return route.fulfill({ json: { status: "success" } });
      const response = await route.fetch();
      const answer = (await response.json()) as { readonly sdp: string };
      await route.fulfill({ response, json: { ...answer, sdp: answer.sdp.replaceAll(/^a=candidate:.*\r\n/gm, "") } });
    });
    await client.connect.click();
    await answered;
    const hint = /^Could not connect to the bot within 15 seconds\. A firewall may block WebRTC\./;
    const shown = client.expectNotice(hint).then(() => true);
    // In steps, so that the client's own timers run before the page's.
    while (!(await Promise.race([shown, sleep(50)]))) await caller.page.clock.fastForward(1_000);
    await caller.page.unroute("**/api/offer");
    await client.connectToBot();
  });

  test.each([false, true])(
    "a bot that fails ends the call, and Connect calls it again (after createTransport: %s)",
    async (hasTransport) => {
      let calls = 0;
      const running = await start(async (args) => {
        calls++;
        if (calls > 1) return echoBot(args);
        if (hasTransport) await createTransport(args, { webrtc: () => ({}) });
        throw new Error("no model");
      });
      const client = await openWebClient(await openPage(running.origin), running.origin);
      await client.connect.click();
      await client.expectNotice(failureWithPlace);
      await client.connectToBot();
    },
  );

  test("a bot that ends while the page still connects leaves no open call", async () => {
    let calls = 0;
    const running = await start(async (args) => {
      calls++;
      if (calls > 1) return echoBot(args);
      await createTransport(args, { webrtc: () => ({}) });
    });
    const caller = await openPage(running.origin);
    const client = await openWebClient(caller, running.origin);
    // The client stays in the state `connecting` until its candidates are sent.
    await caller.page.route("**/api/offer", async (route) => {
      if (route.request().method() === "PATCH") await client.expectNotice(callEnded);
      await route.continue();
    });
    const sent = caller.page.waitForResponse((response) => response.request().method() === "PATCH");
    await client.connect.click();
    await sent;
    await caller.page.unroute("**/api/offer");
    await client.connectToBot();
  });

  test("a runner that stops is reported during a call and on Connect", async () => {
    const running = await start(echoBot);
    const client = await openWebClient(await openPage(running.origin), running.origin);
    await client.connectToBot();
    await running.runner.close();
    await client.expectNotice(callEnded);
    await client.connect.click();
    await client.expectNotice(/does not answer\. It may have stopped\. Press Connect to try again\.$/);
    await client.connect.waitFor();
  });
});

async function setTransports(
  { page }: CallerPage,
  transports: readonly string[],
  more: object = { problems: [] },
): Promise<void> {
  await page.route("**/status?problems", (route) => route.fulfill({ json: { status: "ready", transports, ...more } }));
}

/** Gives the page the id of another session than the one it started. */
async function changeSession({ page }: CallerPage, change: (id: string) => string | Promise<string>): Promise<void> {
  await page.route("**/start", async (route) => {
    const response = await route.fetch();
    const { sessionId } = (await response.json()) as { readonly sessionId: string };
    await route.fulfill({ response, json: { sessionId: await change(sessionId) } });
  });
}
