import { createPacer, createStandaloneTransport } from "@pipecat-ts/runner-media";
import { createRecordingLogger, cut, tone, until, within } from "@pipecat-ts/runner-testing";
import { expect, onTestFinished, test } from "vitest";
import { createWebRTCConnection } from "./index.ts";
import { createPeerCaller } from "./peer/werift/test/peer-caller.ts";
import { loadOpus } from "./voice/opus.ts";

const timeoutMs = 10_000;

async function openTransport() {
  const [logger, pacer] = [createRecordingLogger(), createPacer()];
  const connection = await createWebRTCConnection({ logger, pacer });
  const transport = await createStandaloneTransport({ name: "webrtc", logger, pacer, connect: connection.open });
  onTestFinished(() => transport.close("shutdown"));
  return { connection, transport };
}

test("a transport without a runner carries a call", async () => {
  const { connection, transport } = await openTransport();
  const queued = transport.sendMessage("before the first offer");
  const caller = createPeerCaller();
  onTestFinished(() => caller.close());
  const { sdp, pcId } = await connection.answer({ sdp: await caller.offer() });
  await caller.accept(sdp);
  await caller.connected(timeoutMs);
  expect([connection.pcId, connection.state]).toEqual([pcId, "connected"]);
  await within("the queued message is sent", queued, timeoutMs);
  await until("the queued message arrives", () => caller.texts.includes('"before the first offer"'), timeoutMs);

  const encoder = await (await loadOpus()).createEncoder({ sampleRate: 16_000 });
  onTestFinished(() => encoder.free());
  const [frame] = cut(tone(440, { durationMs: 20 }));
  const received: number[] = [];
  void transport.input.pipeTo(new WritableStream({ write: ({ sampleRate }) => void received.push(sampleRate) }));
  await until(
    "the bot receives audio",
    () => {
      if (frame) caller.sendAudio(encoder.encode(frame.samples));
      return received.length > 0;
    },
    timeoutMs,
  );
  expect(received[0]).toBe(16_000);
  const before = caller.packets.length;
  await transport.play(utterance()).done;
  await until("the caller receives audio", () => caller.packets.length >= before + 5, timeoutMs);

  caller.channel?.close();
  expect(await within("the caller has left", connection.left, timeoutMs)).toBe("caller-left");
  expect(await within("the transport is closed", transport.closed, timeoutMs)).toBe("caller-left");
});

test("a transport without a runner can be closed before the first offer", async () => {
  const { connection, transport } = await openTransport();
  await transport.close();
  await expect(connection.answer({ sdp: "v=0" })).rejects.toMatchObject({ code: "CALL_ENDED" });
});

async function* utterance() {
  yield tone(440, { durationMs: 100, sampleRate: 24_000 });
}
