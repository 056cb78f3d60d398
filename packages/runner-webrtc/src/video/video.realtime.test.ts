import { once } from "node:events";
import { createTransport, type Transport } from "@pipecat-ts/runner-core";
import { until } from "@pipecat-ts/runner-testing";
import { expect, onTestFinished, test } from "vitest";
import type { WebRTCEvents } from "../arguments.ts";
import { connectCaller, sendOffer, type WebRTCCaller } from "../caller.ts";
import { hearEcho, listen } from "../test/fixture.ts";
import { deltaFrame, keyFrame, packetize } from "./test/vp8-packets.ts";

interface VideoCall {
  readonly caller: WebRTCCaller;
  readonly transport: Transport<WebRTCEvents>;
  /** Sends another offer for the same peer. */
  negotiate(): Promise<void>;
}

/** A call with a bot that returns the caller's audio, and stays until it is aborted. */
async function call(videoInEnabled: boolean, videoSections = 2): Promise<VideoCall> {
  const { promise: created, resolve } = Promise.withResolvers<Transport<WebRTCEvents>>();
  const runner = await listen(async (args) => {
    const transport = await createTransport(args, { webrtc: () => ({ videoInEnabled }) });
    resolve(transport as Transport<WebRTCEvents>);
    await transport.input.pipeTo(transport.output);
    // A loop over frames must end although the bot still runs.
    await once(args.signal, "abort");
  });
  onTestFinished(() => runner.close());
  const caller = await connectCaller(new URL("/api/offer", runner.url), {}, undefined, { videoSections });
  onTestFinished(() => caller.drop());
  return {
    caller,
    transport: await created,
    async negotiate() {
      const answer = await sendOffer(caller.endpoint, { sdp: await caller.peer.offer(), pc_id: caller.pcId });
      await caller.peer.accept(answer.sdp);
    },
  };
}

/** Sends frames in section `index` until the test ends, and a key frame for each request. */
function sendFrames({ peer }: WebRTCCaller, index = 0): void {
  let [sequenceNumber, timestamp, answered] = [65_000, 0, 0];
  const timer = setInterval(() => {
    const requests = peer.keyFrameRequests(index);
    const frame = requests > answered ? keyFrame(640, 480, 20_000) : deltaFrame();
    answered = requests;
    timestamp += 3_000;
    for (const packet of packetize(frame, { sequenceNumber, timestamp })) {
      peer.sendVideo(packet, index);
      sequenceNumber = (sequenceNumber + 1) & 0xffff;
    }
  }, 33);
  onTestFinished(() => clearInterval(timer));
}

const renegotiations = ({ signals }: WebRTCCaller) => signals.filter((each) => Object(each).type === "renegotiate");

test("a bot that enables video asks for another offer, and takes pictures during the echo of the caller's voice", async () => {
  const { caller, transport, negotiate } = await call(true);
  expect(transport.capabilities).toMatchObject({ videoIn: true, screenIn: true });
  await until("the bot asks for an offer", () => renegotiations(caller).length === 1, 4_000);
  await negotiate();
  sendFrames(caller, 0);
  sendFrames(caller, 1);
  const heard = hearEcho(caller, 440);
  for (const source of ["camera", "screen", "camera"] as const) {
    const { data, ...taken } = (await transport.video?.snapshot({ source })) ?? expect.fail("no video");
    expect(taken).toMatchObject({ source, type: "image/webp", width: 640, height: 480 });
    expect(data.subarray(20)).toEqual(keyFrame(640, 480, 20_000));
  }
  await heard;
  expect(renegotiations(caller)).toHaveLength(1);
});

test("without videoInEnabled, video is missing and the sections stay inactive", async () => {
  const { caller, transport } = await call(false);
  expect(transport.video).toBeUndefined();
  expect(transport.capabilities).toMatchObject({ videoIn: false, screenIn: false });
  expect(caller.peer.connection.remoteDescription?.sdp.match(/a=inactive/g)).toHaveLength(2);
  await hearEcho(caller, 440);
  expect(renegotiations(caller)).toEqual([]);
});

test("capabilities list the sections of the caller's offer", async () => {
  const { transport, caller } = await call(true, 1);
  expect(transport.capabilities).toMatchObject({ videoIn: true, screenIn: false });
  await expect(transport.video?.snapshot({ source: "screen" })).rejects.toMatchObject({ code: "VIDEO_SOURCE_MISSING" });
  const none = await call(true, 0);
  expect(none.transport.capabilities).toMatchObject({ videoIn: false, screenIn: false });
  await hearEcho(none.caller, 440);
  expect(renegotiations(none.caller)).toEqual([]);
  caller.sendMessage({ label: "rtvi-ai", type: "client-ready", id: "1", data: { version: "2.2.0" } });
  const botReady = () => caller.messages.find((each) => Object(each).type === "bot-ready");
  await until("the bot is ready", () => botReady() !== undefined, 4_000);
  expect(botReady()).toMatchObject({ data: { capabilities: { video_in: true, screen_in: false, video_out: false } } });
  await caller.hangUp();
});

test("the caller's track status turns pictures off and on", async () => {
  const { caller, transport, negotiate } = await call(true, 1);
  await until("the bot asks for an offer", () => renegotiations(caller).length === 1, 4_000);
  await negotiate();
  sendFrames(caller);
  const { promise: reported, resolve } = Promise.withResolvers<void>();
  transport.on("trackStatus", () => resolve());
  caller.sendMessage({ type: "signalling", message: { type: "trackStatus", receiver_index: 1, enabled: false } });
  await reported;
  await expect(transport.video?.snapshot({ source: "camera" })).rejects.toMatchObject({ code: "VIDEO_OFF" });
  caller.sendMessage({ type: "signalling", message: { type: "trackStatus", receiver_index: 1, enabled: true } });
  const taken: number[] = [];
  let leftAt = 0;
  for await (const { width } of transport.video?.frames({ source: "camera", every: 200 }) ?? []) {
    taken.push(width);
    if (taken.length < 3) continue;
    await caller.hangUp();
    leftAt = performance.now();
  }
  expect(taken).toEqual([640, 640, 640]);
  expect(performance.now() - leftAt, "ms from the end of the call").toBeLessThan(5_000);
});
