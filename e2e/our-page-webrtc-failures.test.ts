import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createTransport } from "pipecat-runner";
import { onTestFinished, test } from "vitest";
import type { CallerPage } from "./caller-page.ts";
import { useJourney } from "./journey.ts";
import { openOurPage } from "./our-page.ts";

const { echoBot, start, openPage, expectEnded } = useJourney("webrtc");

const left = /^The bot or the runner ended the call\. If you did not expect this, check the runner's log\.$/;

test("an offer for a session that is gone is told in the runner's words, and the next one is answered", async () => {
  const running = await start(echoBot);
  const caller = await openPage(running.origin);
  const ours = await openOurPage(caller, running.origin);
  await changeSession(caller, () => "0b5e9f4e-0000-4000-8000-000000000000");
  await ours.connect.click();
  await ours.expectNotice(/^The connection to the bot failed: There is no such session, or it has ended\./);
  await caller.page.unroute("**/start");
  await ours.connectToBot();
});

test("an offer for a session whose caller is there already is told in the runner's words", async () => {
  const running = await start(echoBot);
  const [first, second] = [await openPage(running.origin), await openPage(running.origin)];
  const served = await openOurPage(first, running.origin);
  let taken = "";
  await changeSession(first, (id) => {
    taken = id;
    return id;
  });
  await served.connectToBot();
  const refused = await openOurPage(second, running.origin);
  await changeSession(second, () => taken);
  await refused.connect.click();
  await refused.expectNotice(
    /^The connection to the bot failed: The caller of session ".+" is here already\./,
  );
  await served.exchange("Undisturbed");
});

test("an offer to a runner that has filled up since is told in the runner's words", async () => {
  const running = await start(echoBot, { maxSessions: 1 });
  const [first, second] = [await openPage(running.origin), await openPage(running.origin)];
  const [served, refused] = [await openOurPage(first, running.origin), await openOurPage(second, running.origin)];
  await changeSession(second, async (id) => {
    await served.connectToBot();
    return id;
  });
  await refused.connect.click();
  await refused.expectNotice(/^The connection to the bot failed: All 1 places are taken\./);
});

test("an offer to a runner without a free port is made anew, and then told in the runner's words", async () => {
  const taken = createSocket("udp4").bind(0, "0.0.0.0");
  onTestFinished(() => void taken.close());
  await once(taken, "listening");
  const { port } = taken.address();
  // With an address to announce, the port is bound on all addresses.
  const webrtc = { udpPorts: [port, port], announceIp: "127.0.0.1" };
  const running = await start(echoBot, { pluginOptions: { webrtc } });
  const ours = await openOurPage(await openPage(running.origin), running.origin);
  await ours.connect.click();
  await ours.expectNotice(/^The connection to the bot failed: .+ UDP port/);
});

test("a network that lets HTTP through alone is told, and what can be done about it", async () => {
  const running = await start(echoBot);
  const caller = await openPage(running.origin);
  const ours = await openOurPage(caller, running.origin);
  await caller.page.route("**/api/offer", async (route) => {
    if (route.request().method() === "PATCH") return route.fulfill({ json: { status: "success" } });
    const response = await route.fetch();
    const answer = (await response.json()) as { readonly sdp: string };
    await route.fulfill({ response, json: { ...answer, sdp: answer.sdp.replaceAll(/^a=candidate:.*\r\n/gm, "") } });
  });
  await ours.connect.click();
  await ours.expectNotice(/^Could not connect to the bot within 15 seconds\. A firewall may block WebRTC\./);
  await caller.page.unroute("**/api/offer");
  await ours.connectToBot();
});

test.each([false, true])(
  "a bot that fails (after it took the call: %s) ends the call, and Connect calls it again",
  async (took) => {
    let calls = 0;
    const running = await start(async (args) => {
      calls++;
      if (calls > 1) return echoBot(args);
      if (took) await createTransport(args, { webrtc: () => ({}) });
      throw new Error("no model");
    });
    const ours = await openOurPage(await openPage(running.origin), running.origin);
    await ours.connect.click();
    await ours.expectNotice(left);
    await ours.connectToBot();
  },
);

test("a bot that leaves while the page still connects leaves no call open behind it", async () => {
  let calls = 0;
  const running = await start(async (args) => {
    calls++;
    if (calls > 1) return echoBot(args);
    await createTransport(args, { webrtc: () => ({}) });
  });
  const caller = await openPage(running.origin);
  const ours = await openOurPage(caller, running.origin);
  // The client connects for as long as its candidates are on the way.
  await caller.page.route("**/api/offer", async (route) => {
    if (route.request().method() === "PATCH") await ours.expectNotice(left);
    await route.continue();
  });
  const sent = caller.page.waitForResponse((response) => response.request().method() === "PATCH");
  await ours.connect.click();
  await sent;
  await caller.page.unroute("**/api/offer");
  await ours.connectToBot();
});

test("a runner that stops is told while it is called, and after", async () => {
  const running = await start(echoBot);
  const ours = await openOurPage(await openPage(running.origin), running.origin);
  await ours.connectToBot();
  await running.runner.close();
  await ours.expectNotice(left);
  await ours.connect.click();
  await ours.expectNotice(/does not answer\. It may have stopped\. Press Connect to try again\.$/);
  await ours.connect.waitFor();
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

/** Has the page told of another session than the one that it started. */
async function changeSession({ page }: CallerPage, change: (id: string) => string | Promise<string>): Promise<void> {
  await page.route("**/start", async (route) => {
    const response = await route.fetch();
    const { sessionId } = (await response.json()) as { readonly sessionId: string };
    await route.fulfill({ response, json: { sessionId: await change(sessionId) } });
  });
}
