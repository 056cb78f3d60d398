import { once } from "node:events";
import { createTransport, type RunnerArguments } from "@pipecat-ts/runner-core";
import { createRunner } from "@pipecat-ts/runner-host";
import twilio from "@pipecat-ts/runner-telephony-twilio/plugin";
import { createRecordingLogger } from "@pipecat-ts/runner-testing";
import webrtc from "@pipecat-ts/runner-webrtc/plugin";
import { expect, onTestFinished, test } from "vitest";
import { simulatePipecatCloud } from "../packages/runner-host/src/test/pipecat-cloud.ts";
import { voiceAlone } from "../packages/runner-webrtc/src/peer/test/offers.ts";

/** The image of a bot that knows nothing of the platform. */
async function openImage() {
  const calls: RunnerArguments[] = [];
  const runner = createRunner({
    async bot(args) {
      calls.push(args);
      await (await createTransport(args, { webrtc: () => ({}), twilio: () => ({}) })).closed;
    },
    plugins: [webrtc, twilio] as never[],
    cloud: true,
    maxSessions: 1,
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger: createRecordingLogger(),
  });
  await runner.listen();
  onTestFinished(() => runner.close());
  return { runner, calls, platform: simulatePipecatCloud(runner.url) };
}

test("a page's offer and candidates reach the session that the platform started", async () => {
  const { runner, calls, platform } = await openImage();
  const session = platform.start({ transport: "webrtc", body: { wish: "tea" } });
  await expect.poll(() => runner.sessions.counts.pending).toBe(1);
  const offer = { sdp: voiceAlone, type: "offer", pc_id: null, restart_pc: false };
  const answered = await session.fetch("api/offer", { method: "POST", body: JSON.stringify(offer) });
  const { sdp, pc_id } = (await answered.json()) as { readonly sdp: string; readonly pc_id: string };
  expect(sdp).toContain("m=audio");
  const candidates = [{ candidate: "", sdp_mid: "0", sdp_mline_index: 0 }];
  const added = await session.fetch("api/offer", { method: "PATCH", body: JSON.stringify({ pc_id, candidates }) });
  expect(await added.json()).toEqual({ status: "success" });
  expect(calls).toMatchObject([{ transport: "webrtc", sessionId: session.id, body: { wish: "tea" } }]);
  await runner.sessions.find(session.id)?.end("ended-by-request");
  expect(await session.ended).toEqual({ status: 200, body: {} });
});

test("a phone call on /ws has the platform's id and the body from the query", async () => {
  const { runner, calls, platform } = await openImage();
  const body = Buffer.from('{"wish":"tea"}').toString("base64");
  const { id, socket } = await platform.openSocket(`/ws?body=${encodeURIComponent(body)}`);
  const ids = { callSid: `CA${"a".repeat(32)}`, streamSid: `MZ${"b".repeat(32)}`, accountSid: `AC${"c".repeat(32)}` };
  const mediaFormat = { encoding: "audio/x-mulaw", sampleRate: 8_000, channels: 1 };
  const start = { ...ids, tracks: ["inbound"], customParameters: {}, mediaFormat };
  socket.send(JSON.stringify({ event: "connected", protocol: "Call", version: "1.0.0" }));
  socket.send(JSON.stringify({ event: "start", sequenceNumber: "1", start, streamSid: ids.streamSid }));
  await expect.poll(() => calls).toMatchObject([{ transport: "twilio", sessionId: id, body: { wish: "tea" } }]);
  expect(await platform.start().ended).toMatchObject({ status: 429 });
  const closed = once(socket, "close");
  await runner.sessions.find(id)?.end("ended-by-request");
  await closed;
});
