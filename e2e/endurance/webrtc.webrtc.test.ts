import { setTimeout as sleep } from "node:timers/promises";
import { send, until } from "@pipecat-ts/runner-testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sendOffer, type WebRTCCaller } from "../../packages/runner-webrtc/src/caller.ts";
import { chromium } from "../../packages/runner-webrtc/src/peer/test/offers.ts";
import { createPeerCaller, type PeerCaller } from "../../packages/runner-webrtc/src/peer/werift/peer-caller.ts";
import { expectEndings, expectNothingLeft } from "../server/expectations.ts";
import { type Server, startServer } from "../server/server.ts";

const timeoutMs = 30_000;
let server: Server;
beforeAll(async () => {
  // 5 s, because this process may be busy with other callers' handshakes for seconds.
  server = await startServer({ transports: ["webrtc"], pluginOptions: { webrtc: { callerTimeout: 5 } } });
});
afterAll(() => server[Symbol.asyncDispose]());

/** Replaces the caller's peer, like a client whose network broke: the old peer closes without sending anything. */
async function restart({ endpoint, pcId, peer }: WebRTCCaller) {
  const next = createPeerCaller();
  const { sdp } = await sendOffer(endpoint, { sdp: await next.offer(), pc_id: pcId, restart_pc: true });
  peer.cut();
  await peer.close();
  await next.accept(sdp);
  await next.connected(timeoutMs);
  await hear(next);
  return next;
}

async function hear({ packets }: PeerCaller): Promise<void> {
  await until("the caller hears the bot", () => packets.length > 5, timeoutMs);
}

async function crash({ endpoint }: WebRTCCaller): Promise<void> {
  expect(await send(new URL("../crash", endpoint))).toMatchObject({ status: 200 });
}

/** How calls end, and the reasons of their sessions. The hostile tests check offers without media, whose sessions last 30 s. */
const calls: readonly (readonly [reason: string, call: () => Promise<unknown>])[] = [
  [
    "caller-left",
    async function hangUp() {
      const caller = await server.callByWebRTC();
      await hear(caller.peer);
      await caller.hangUp();
    },
  ],
  [
    "caller-left",
    async function vanish() {
      const caller = await server.callByWebRTC();
      await hear(caller.peer);
      caller.drop();
      await caller.closed;
    },
  ],
  [
    "caller-left",
    async function closeThePeerAlone() {
      const caller = await server.callByWebRTC();
      await caller.peer.close();
      await caller.closed;
    },
  ],
  [
    "bot-finished",
    async function outliveTheBot() {
      const caller = await server.callByWebRTC({ body: { crash: "return" } });
      await crash(caller);
      await caller.closed;
    },
  ],
  [
    "bot-failed",
    async function outliveACrash() {
      const caller = await server.callByWebRTC({ body: { crash: "asked" } });
      await crash(caller);
      await caller.closed;
    },
  ],
  [
    "caller-left",
    async function restartAndHangUp() {
      const caller = await server.callByWebRTC();
      await hear(caller.peer);
      const next = await restart(caller);
      next.channel?.close();
      await next.close();
    },
  ],
  [
    "caller-left",
    async function renegotiateAndVanish() {
      const caller = await server.callByWebRTC();
      const { peer, endpoint, pcId } = caller;
      for (const iceRestart of [false, true]) {
        const answer = await sendOffer(endpoint, { sdp: await peer.offer({ iceRestart }), pc_id: pcId });
        await peer.accept(answer.sdp);
      }
      await hear(caller.peer);
      caller.drop();
      await caller.closed;
    },
  ],
  [
    "bot-failed",
    async function offerAfterTheBotFailed() {
      await sendOffer(await server.offerEndpoint({ body: { crash: "body" } }), { sdp: chromium });
    },
  ],
  [
    "abandoned",
    async function offerAnUnknownCodec() {
      await expect(sendOffer(openEndpoint(), { sdp: chromium.replace("opus", "speex") })).rejects.toMatchObject({
        status: 400,
      });
    },
  ],
];

function openEndpoint(): URL {
  return new URL(`http://127.0.0.1:${server.port}/api/offer`);
}

test("400 calls, 20 at a time, that end in every way, leave nothing behind", { timeout: 300_000 }, async (context) => {
  const count = 400;
  const callOf = (index: number) => calls[index % calls.length] as (typeof calls)[number];
  await expectNothingLeft(context, server, {
    count,
    atATime: 20,
    session: (index) => callOf(index)[1](),
    async end() {
      while ((await server.ask("counts")).active > 0) await sleep(100);
    },
  });
  const reasons = Object.groupBy(
    Array.from({ length: count }, (_, index) => callOf(index)[0]),
    (reason) => reason,
  );
  await expectEndings(
    server,
    Object.fromEntries(Object.entries(reasons).map(([reason, of]) => [reason, of?.length ?? 0])),
  );
});
