import { until } from "@pipecat-ts/runner-testing";
import type { SmallWebRTCConnection } from "@pipecat-ts/runner-webrtc";
import { expect, test } from "vitest";
import { openBarePage, useBarePage } from "./bare-page.ts";
import { useJourney } from "./journey.ts";
import { openOurPage } from "./our-page.ts";

const { echoBot, start, openPage, hearEcho } = useJourney("webrtc");
const serveBarePage = useBarePage();

test.each([
  ["our page", openOurPage],
  ["a bare page", openBarePage],
])(
  "%s answers when the bot asks it to negotiate anew: the same peer, and sound without a gap",
  async (_which, open) => {
    const connections: SmallWebRTCConnection[] = [];
    const bot: typeof echoBot = (args) => {
      if (args.transport === "webrtc") connections.push(args.webrtcConnection);
      return echoBot(args);
    };
    const running = await start(bot, {}, serveBarePage);
    const caller = await openPage(running.origin);
    const offers: unknown[] = [];
    caller.page.on("request", (request) => {
      if (request.method() === "POST" && request.url().endsWith("/api/offer")) offers.push(request.postDataJSON());
    });
    const page = await open(caller, running.origin, "webrtc");
    await page.connectToBot();
    await hearEcho(caller);
    const [connection] = connections;
    const pcId = connection?.pcId;

    let asked = 0;
    await hearEcho(caller, () => {
      asked++;
      connection?.renegotiate();
    });
    await until("every offer came", () => offers.length === 1 + asked, 5_000);
    for (const offer of offers.slice(1)) expect(offer).toMatchObject({ pc_id: pcId, restart_pc: false });
    await page.exchange("Still there?");
    expect(connection).toMatchObject({ pcId, state: "connected" });
    expect(connections).toHaveLength(1);
    expect(running.runner.sessions.counts).toEqual({ pending: 0, active: 1 });
  },
);
