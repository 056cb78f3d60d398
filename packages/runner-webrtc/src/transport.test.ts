import { createRecordingLogger, cut, tone, until, within } from "@pipecat-ts/runner-testing";
import { expect, onTestFinished, test } from "vitest";
import { createWebRTCTransport } from "./index.ts";
import { createPeerCaller } from "./peer/test/peer-caller.ts";
import { loadOpus } from "./voice/opus.ts";

const patienceMs = 10_000;

test("carries a call that is signalled without a runner", { timeout: 30_000 }, async () => {
  const { transport, connection } = await createWebRTCTransport({ logger: createRecordingLogger() });
  onTestFinished(() => transport.close("shutdown"));
  const caller = createPeerCaller();
  onTestFinished(() => caller.close());
  const { sdp, pcId } = await connection.answer({ sdp: await caller.offer() });
  await caller.accept(sdp);
  await caller.connected(patienceMs);
  expect([connection.pcId, connection.state]).toEqual([pcId, "connected"]);

  const opus = await loadOpus();
  const encoder = await opus.createEncoder({ sampleRate: 16_000 });
  onTestFinished(() => encoder.free());
  const [frame] = cut(tone(440, { durationMs: 20 }));
  const heard: number[] = [];
  void transport.input.pipeTo(new WritableStream({ write: ({ sampleRate }) => void heard.push(sampleRate) }));
  await until(
    "the caller is heard",
    () => {
      if (frame) caller.sendAudio(encoder.encode(frame.samples));
      return heard.length > 0;
    },
    patienceMs,
  );
  expect(heard[0]).toBe(16_000);
  const before = caller.packets.length;
  await transport.play(tones()).done;
  await until("the bot is heard", () => caller.packets.length >= before + 5, patienceMs);
  await transport.sendMessage("good day");
  await until("the message arrives", () => caller.texts.includes('"good day"'), patienceMs);

  caller.channel?.close();
  expect(await within("the connection tells that the caller left", connection.left, patienceMs)).toBe("caller-left");
});

test("a message that is sent before any offer waits for the caller", { timeout: 30_000 }, async () => {
  const { transport, connection } = await createWebRTCTransport({ logger: createRecordingLogger() });
  onTestFinished(() => transport.close("shutdown"));
  const sent = transport.sendMessage("hi");
  const caller = createPeerCaller();
  onTestFinished(() => caller.close());
  const { sdp } = await connection.answer({ sdp: await caller.offer() });
  await caller.accept(sdp);
  await within("it is sent", sent, patienceMs);
  await until("it arrives", () => caller.texts.includes('"hi"'), patienceMs);
});

test("is closed also where no offer came", async () => {
  const { transport, connection } = await createWebRTCTransport({ logger: createRecordingLogger() });
  await transport.close();
  await expect(connection.answer({ sdp: "v=0" })).rejects.toMatchObject({ code: "CALL_ENDED" });
});

async function* tones() {
  yield tone(440, { durationMs: 100, sampleRate: 24_000 });
}
