import { setTimeout as sleep } from "node:timers/promises";
import { until } from "@pipecat-ts/runner-testing";
import type { SmallWebRTCConnection } from "@pipecat-ts/runner-webrtc";
import { expect, onTestFinished, test } from "vitest";
import type { RunningRunner } from "../runner.ts";
import type { CallerPage } from "./caller-page.ts";
import { useBrowser } from "./fixture.ts";
import { type Network, routeThroughProxy } from "./network-cut.ts";
import { openPublishedClient, usePublishedClient } from "./published-client.ts";
import { openWebClient } from "./web-client.ts";

const { echoBot, start, openPage, expectEcho, expectEnded } = useBrowser().over("webrtc");
const addPublishedClient = usePublishedClient();

/** A page, its runner, and the connections that the bot got: one for each start of the bot. */
interface RunningPage {
  readonly running: RunningRunner;
  readonly caller: CallerPage;
  readonly connections: readonly SmallWebRTCConnection[];
}

async function openCaller(webrtc: { readonly callerTimeout?: number } = {}): Promise<RunningPage> {
  const connections: SmallWebRTCConnection[] = [];
  const bot: typeof echoBot = (args) => {
    if (args.transport === "webrtc") connections.push(args.webrtcConnection);
    return echoBot(args);
  };
  const running = await start(bot, { pluginOptions: { webrtc } }, addPublishedClient);
  return { running, caller: await openPage(running.origin), connections };
}

/** `callerTimeout`: how long the runner waits for a caller without a network, in s. Without it, the default. */
async function openWithNetwork(
  callerTimeout?: number,
  paths?: number,
): Promise<RunningPage & { readonly network: Network }> {
  const opened = await openCaller(callerTimeout === undefined ? {} : { callerTimeout });
  const network = await routeThroughProxy(opened.caller.page, paths);
  onTestFinished(() => network[Symbol.asyncDispose]());
  return { ...opened, network };
}

const clients = [
  ["the web client", openWebClient],
  ["the published client", openPublishedClient],
] as const;

test("both clients continue with the same bot after 3 s without a network, and no text is lost", async () => {
  await Promise.all(
    clients.map(async ([name, open]) => {
      const { running, caller, network, connections } = await openWithNetwork(10);
      const client = await open(caller, running.origin, "webrtc");
      await client.connectToBot();
      await expectEcho(caller);
      network.cut(true);
      const exchanged = client.exchange("Can you hear me?");
      const outage = sleep(3_000);
      if (open === openWebClient) await caller.page.getByText("Reconnecting…").first().waitFor({ timeout: 4_000 }); // promised: 2 s
      await outage;
      expect(network.dropped(), name).toBeGreaterThan(100);
      network.cut(false);
      await exchanged;
      await client.exchange("And now?");
      await expectEcho(caller);
      expect(connections, name).toMatchObject([{ pcId: expect.stringMatching(/\.1$/), state: "connected" }]);
      expect(running.runner.sessions.counts).toEqual({ pending: 0, active: 1 });
    }),
  );
});

test("both clients replace a peer after a longer outage, with the same session and bot", async () => {
  await Promise.all(
    clients.map(async ([name, open]) => {
      const { running, caller, network, connections } = await openWithNetwork(60);
      const client = await open(caller, running.origin, "webrtc");
      await client.connectToBot();
      await expectEcho(caller);
      network.cut(true);
      // The client offers a new peer when it considers the old one lost, and again 2 s after that failed.
      await until(`${name} has offered a new peer twice`, () => network.lostOffers() === 2, 40_000);
      network.cut(false);
      const [connection] = connections;
      await until(`${name} has a new peer`, () => connection?.pcId.endsWith(".2") === true, 10_000);
      await until(`the new peer of ${name} is connected`, () => connection?.state === "connected", 10_000);
      await client.expectReady();
      await client.exchange("And now?");
      // The published client stops the microphone with the old peer and ignores the bot's new track. Our client repairs both.
      if (open === openWebClient) await expectEcho(caller);
      expect(connections).toHaveLength(1);
      expect(running.runner.sessions.counts).toEqual({ pending: 0, active: 1 });
    }),
  );
});

test("a browser that loses one of two network paths continues on the other one, without another offer", async () => {
  const { running, caller, network, connections } = await openWithNetwork(undefined, 2);
  const client = await openWebClient(caller, running.origin);
  await client.connectToBot();
  await expectEcho(caller);
  let offers = 0;
  caller.page.on("request", (request) => {
    if (request.method() === "POST") offers += 1;
  });
  network.cutUsedPath();
  await sleep(5_000); // Chromium uses the other path after 2.5 s without an answer
  expect(network.dropped()).toBeGreaterThan(100);
  await expectEcho(caller);
  await client.exchange("Can you hear me?");
  expect(offers).toBe(0);
  expect(connections).toMatchObject([{ pcId: expect.stringMatching(/\.1$/), state: "connected" }]);
});

test("an outage longer than the runner's timeout ends the session, and both clients learn it", async () => {
  await Promise.all([reportsAndCallsAgain(), learnsWhenItReconnects()]);

  async function reportsAndCallsAgain(): Promise<void> {
    const { running, caller, network } = await openWithNetwork(3); // with less, a busy machine seems to have no network
    const client = await openWebClient(caller, running.origin);
    await client.connectToBot();
    network.cut(true);
    await expectEnded(running, 9_000);
    network.cut(false);
    await client.expectNotice(/^The connection to the runner was lost/);
    await client.connectToBot();
    await expectEcho(caller);
  }

  /** With the default timeout of 10 s. */
  async function learnsWhenItReconnects(): Promise<void> {
    const { running, caller, network } = await openWithNetwork();
    const client = await openPublishedClient(caller, running.origin, "webrtc");
    await client.connectToBot();
    await client.expectReady();
    network.cut(true);
    await sleep(9_000); // less than the runner waits
    expect(running.runner.sessions.counts).toEqual({ pending: 0, active: 1 });
    await expectEnded(running, 5_000);
    const answered = caller.page.waitForResponse((response) => response.request().method() === "POST");
    network.cut(false);
    expect((await answered).status()).toBe(404);
    await caller.page.waitForFunction(`client.state === "error"`);
  }
});

test.each(clients)(
  "%s renegotiates when the bot asks for it: the same peer, and audio without a gap",
  async (_, open) => {
    const { running, caller, connections } = await openCaller();
    const offers: unknown[] = [];
    caller.page.on("request", (request) => {
      if (request.method() === "POST" && request.url().endsWith("/api/offer")) offers.push(request.postDataJSON());
    });
    const client = await open(caller, running.origin, "webrtc");
    await client.connectToBot();
    await expectEcho(caller);
    const [connection] = connections;
    const pcId = connection?.pcId;

    let requests = 0;
    await expectEcho(caller, () => {
      requests++;
      connection?.renegotiate();
    });
    await until("all offers have arrived", () => offers.length === 1 + requests, 5_000);
    for (const offer of offers.slice(1)) expect(offer).toMatchObject({ pc_id: pcId, restart_pc: false });
    await client.exchange("Still there?");
    expect(connection).toMatchObject({ pcId, state: "connected" });
    expect(connections).toHaveLength(1);
    expect(running.runner.sessions.counts).toEqual({ pending: 0, active: 1 });
  },
);
