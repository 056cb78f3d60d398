import { setTimeout as sleep } from "node:timers/promises";
import { until } from "@pipecat-ts/runner-testing";
import type { SmallWebRTCConnection } from "@pipecat-ts/runner-webrtc";
import { describe, expect, onTestFinished, test } from "vitest";
import { openBarePage, useBarePage } from "./bare-page.ts";
import type { CallerPage } from "./caller-page.ts";
import { type CuttableWire, putOnWire } from "./cuttable-wire.ts";
import { missedWithinMs, useJourney } from "./journey.ts";
import { openOurPage } from "./our-page.ts";
import type { RunningRunner } from "./running-runner.ts";

const { echoBot, start, openPage, hearEcho, expectEnded } = useJourney("webrtc");
const serveBarePage = useBarePage();

/** A page on a wire that can be cut, and what the bot was given of it. */
interface WiredCaller {
  readonly running: RunningRunner;
  readonly caller: CallerPage;
  readonly wire: CuttableWire;
  /** One for each time that the bot was started. */
  readonly connections: readonly SmallWebRTCConnection[];
}

/** `callerTimeout`: how long the runner waits for a caller that is away, in s; as long as it does by default, unless said. */
async function openOnWire(callerTimeout?: number): Promise<WiredCaller> {
  const connections: SmallWebRTCConnection[] = [];
  const bot: typeof echoBot = (args) => {
    if (args.transport === "webrtc") connections.push(args.webrtcConnection);
    return echoBot(args);
  };
  const webrtc = callerTimeout === undefined ? {} : { callerTimeout };
  const running = await start(bot, { pluginOptions: { webrtc } }, serveBarePage);
  const caller = await openPage(running.origin);
  const wire = await putOnWire(caller.page);
  onTestFinished(() => wire[Symbol.asyncDispose]());
  return { running, caller, wire, connections };
}

describe.each([
  ["our page", openOurPage],
  ["a bare page", openBarePage],
] as const)("%s", { timeout: 120_000 }, (which, open) => {
  test("goes on with the same bot after 3 s without a network, and nothing that was written is lost", async () => {
    const { running, caller, wire, connections } = await openOnWire(10);
    const page = await open(caller, running.origin, "webrtc");
    await page.connectToBot();
    await hearEcho(caller);
    wire.cut(true);
    const exchanged = page.exchange("Can you hear me?");
    await sleep(3_000);
    expect(wire.dropped()).toBeGreaterThan(100);
    wire.cut(false);
    await exchanged;
    await page.exchange("And now?");
    await hearEcho(caller);
    expect(connections).toMatchObject([{ pcId: expect.stringMatching(/\.1$/), state: "connected" }]);
    expect(running.runner.sessions.counts).toEqual({ pending: 0, active: 1 });
  });

  test("replaces a peer that was cut off for longer: the same session and bot, both still ready", async () => {
    const { running, caller, wire, connections } = await openOnWire(60);
    const page = await open(caller, running.origin, "webrtc");
    await page.connectToBot();
    await hearEcho(caller);
    wire.cut(true);
    // It tries once it takes the peer for lost, closes that peer when this fails, and tries again 2 s later.
    await until("the client has tried a new peer twice", () => wire.lostOffers() === 2, 40_000);
    wire.cut(false);
    const [connection] = connections;
    await until("the new peer counts", () => connection?.pcId.endsWith(".2") === true, 10_000);
    await until("the new peer is connected", () => connection?.state === "connected", 10_000);
    await page.expectReady();
    await page.exchange("And now?");
    // The published client stops the microphone with the old peer, and forgets the bot's new track: our page mends both.
    if (which === "our page") await hearEcho(caller);
    expect(connections).toHaveLength(1);
    expect(running.runner.sessions.counts).toEqual({ pending: 0, active: 1 });
  });
});

test("a network that is away for longer than the runner waits ends the session; the page says so, and calls again", async () => {
  const { running, caller, wire } = await openOnWire(3); // fewer, and a busy machine seems away
  const ours = await openOurPage(caller, running.origin);
  await ours.connectToBot();
  wire.cut(true);
  await expectEnded(running, 9_000);
  wire.cut(false);
  await ours.expectNotice(/^The connection to the runner was lost/);
  await ours.connectToBot();
  await hearEcho(caller);
}, 120_000);

test("by default, a silent network ends the session before the published client notices, which is told as it tries", async () => {
  const { running, caller, wire } = await openOnWire();
  const bare = await openBarePage(caller, running.origin, "webrtc");
  await bare.connectToBot();
  await bare.expectReady();
  wire.cut(true);
  await sleep(9_000); // less than the runner waits
  expect(running.runner.sessions.counts).toEqual({ pending: 0, active: 1 });
  await expectEnded(running, missedWithinMs.webrtc - 9_000);
  const answered = caller.page.waitForResponse((response) => response.request().method() === "POST");
  wire.cut(false);
  expect((await answered).status()).toBe(404);
  await caller.page.waitForFunction(`client.state === "error"`);
}, 120_000);
