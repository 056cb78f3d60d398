import { measureLevel } from "@pipecat-ts/runner-testing";
import { createTransport } from "pipecat-runner";
import { describe, expect, test } from "vitest";
import { type BarePage, openBarePage, useBarePage } from "./bare-page.ts";
import type { CallerPage } from "./caller-page.ts";
import { msHeardAfter, talkativeBot } from "./interruption.ts";
import { missedWithinMs, silenceDb, silentWithinMs, useJourney } from "./journey.ts";
import type { RunningRunner } from "./running-runner.ts";

const serveBarePage = useBarePage();

interface Call {
  readonly running: RunningRunner;
  readonly caller: CallerPage;
  readonly bare: BarePage;
}

describe.each(["webrtc", "websocket"] as const)("over %s", (transport) => {
  const { echoBot, start, openPage, hearEcho, expectEnded } = useJourney(transport);

  /** A call from a page of the user's own, served by a route of the user's own, with the published client. */
  async function call(bot = echoBot): Promise<Call> {
    const running = await start(bot, {}, serveBarePage);
    const caller = await openPage(running.origin);
    const bare = await openBarePage(caller, running.origin, transport);
    expect(await bare.connectToBot()).toMatchObject({ version: expect.stringMatching(/^2\./) });
    return { running, caller, bare };
  }

  test("the published client becomes ready and hears the caller's own voice", async () => {
    const { running, caller, bare } = await call();
    await bare.expectReady();
    expect(running.runner.sessions.counts).toEqual({ pending: 0, active: 1 });
    await hearEcho(caller);
    if (transport === "webrtc") expect(await bare.cipher()).toBe("SRTP_AEAD_AES_128_GCM");
  });

  test("text is answered", async () => {
    const { bare } = await call();
    await bare.exchange("Good morning");
    expect(await bare.events("botOutput")).toMatchObject([{ text: "You wrote: Good morning" }]);
    expect(await bare.events("messageError")).toEqual([]);
  });

  test("a client message silences the bot at once, which goes on afterwards", async () => {
    const { caller, bare } = await call(talkativeBot);
    await caller.listen("heard", 500);
    const heardMs = await msHeardAfter(caller, () => bare.sendClientMessage("interrupt"));
    expect(heardMs).toBeLessThan(silentWithinMs);
    await hearEcho(caller);
    expect(await bare.events("messageError")).toEqual([]);
  });

  test("a muted microphone is not heard, and one that is unmuted is", async () => {
    const told: unknown[] = [];
    const { caller, bare } = await call(async (args) => {
      if (args.transport !== "webrtc") return echoBot(args);
      const { on, input, output } = await createTransport(args, { webrtc: () => ({}) });
      on("trackStatus", (track, enabled) => told.push([track, enabled]));
      await input.pipeTo(output);
    });
    await bare.expectReady();
    await hearEcho(caller);
    told.length = 0;
    await bare.enableMic(false);
    await expect
      .poll(async () => measureLevel(await caller.listen("heard", 500)), { timeout: 5_000 })
      .toBeLessThan(silenceDb);
    await bare.enableMic(true);
    await hearEcho(caller);
    // Of the microphone's state WebRTC alone tells.
    const micTold =
      transport === "webrtc"
        ? [
            ["microphone", false],
            ["microphone", true],
          ]
        : [];
    await expect.poll(() => told).toEqual(micTold);
  });

  test("disconnecting ends the session", async () => {
    const { running, caller, bare } = await call();
    // The WebSocket client's own media throw in a page that leaves while they still look the microphone up.
    await caller.listen("spoken", 200);
    await bare.disconnect();
    await expectEnded(running);
  });

  test("a page that dies ends its session", async () => {
    const { running, caller } = await call();
    await caller.kill();
    await expectEnded(running, missedWithinMs[transport]);
  });
});
