import type { Pacer } from "@pipecat-ts/runner-core";
import { createPacer, createStandaloneTransport } from "@pipecat-ts/runner-media";
import { createRecordingLogger, cut, tone, until, within } from "@pipecat-ts/runner-testing";
import { expect, onTestFinished, test } from "vitest";
import { createWebRTCConnection, type WebRTCConnection, type WebRTCConnectionOptions } from "./index.ts";
import { createPeerCaller, type PeerCaller } from "./peer/werift/peer-caller.ts";
import { createSctpWriter, dataChunk, first, last, unordered } from "./peer/werift/test/sctp-writer.ts";
import { loadOpus } from "./voice/opus.ts";

const timeoutMs = 10_000;

async function openTransport(pacer: Pacer = createPacer()) {
  const logger = createRecordingLogger();
  const connection = await createWebRTCConnection({ logger, pacer });
  const transport = await createStandaloneTransport({ name: "webrtc", logger, pacer, connect: connection.open });
  onTestFinished(() => transport.close("shutdown"));
  return { connection, transport, logger };
}

/** Connects a caller that does not know how long a text may be. */
async function connect(connection: WebRTCConnection): Promise<PeerCaller> {
  const caller = createPeerCaller();
  onTestFinished(() => caller.close());
  const { sdp } = await connection.answer({ sdp: await caller.offer() });
  await caller.accept(sdp.replace("max-message-size:65536", "max-message-size:1000000"));
  await caller.connected(timeoutMs);
  return caller;
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

test.each<[string, Partial<WebRTCConnectionOptions>]>([
  ["a malformed ICE server", { iceServers: [{ urls: "http://127.0.0.1" }] }],
  ["relayOnly without a TURN server", { relayOnly: true }],
  ["a range of ports that is reversed", { udpPorts: [50_999, 50_000] }],
])("rejects %s before the first offer", async (_, options) => {
  const created = createWebRTCConnection({ logger: createRecordingLogger(), pacer: createPacer(), ...options });
  await expect(created).rejects.toMatchObject({ code: "OPTION_INVALID" });
});

test("a caller that floods its data channel is disconnected", async () => {
  const pacer = createPacer();
  // Time stands still: the budget is not refilled.
  const { connection, logger } = await openTransport({ ...pacer, clock: { ...pacer.clock, now: () => 0 } });
  const caller = await connect(connection);
  const sctp = createSctpWriter(caller.connection);
  const pings = Array.from({ length: 2_001 }, (_, index) =>
    dataChunk({
      tsn: sctp.nextTsn + index,
      stream: caller.channel?.id ?? 0,
      flags: first | last | unordered,
      content: "ping: 1",
    }),
  );
  await sctp.sendChunks(pings);
  expect(await within("the caller is disconnected", connection.left, timeoutMs)).toBe("rate-exceeded");
  expect(logger.lines.map(({ message }) => message)).toContain(
    "caller disconnected: too many texts on the data channel",
  );
});

test("a text that is longer than the answer allows is skipped", async () => {
  const { connection, transport } = await openTransport();
  const received: unknown[] = [];
  transport.on("appMessage", (message) => received.push(message));
  const caller = await connect(connection);
  for (const text of ["x".repeat(70_000), "short"]) caller.channel?.send(JSON.stringify(text));
  await until("the bot gets the short text", () => received.length > 0, timeoutMs);
  expect(received).toEqual(["short"]);
});

async function* utterance() {
  yield tone(440, { durationMs: 100, sampleRate: 24_000 });
}
