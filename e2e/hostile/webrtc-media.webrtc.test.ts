import { createSocket } from "node:dgram";
import { setImmediate as turn } from "node:timers/promises";
import { until } from "@pipecat-ts/runner-testing";
import { afterEach, describe, expect, test, vi } from "vitest";
import { sendOffer, type WebRTCCaller } from "../../packages/runner-webrtc/src/caller.ts";
import type { PeerCaller } from "../../packages/runner-webrtc/src/peer/werift/peer-caller.ts";
import {
  chunk,
  createSctpWriter,
  dataChunk,
  first,
  last,
  sackChunk,
  sctpPacket,
  unordered,
} from "../../packages/runner-webrtc/src/peer/werift/test/sctp-writer.ts";
import { keyFrame, packetize } from "../../packages/runner-webrtc/src/video/test/vp8-packets.ts";
import { expectEcho } from "../server/callers.ts";
import { createRandom, useServer } from "./fixture.ts";

const fixture = useServer({ transports: ["webrtc"] });
afterEach(() => fixture.server.ask("endLater"));
const timeoutMs = 20_000;

/** Repeats an action, and gives the other callers in this process time in between. */
async function flood(count: number, act: (index: number) => unknown): Promise<void> {
  for (let index = 0; index < count; index++) {
    await act(index);
    if (index % 50 === 0) await turn();
  }
}

/** The growth of the server's live objects, in bytes. */
async function grownBytes(): Promise<number> {
  return (await fixture.server.ask("holdings")).liveBytes - fixture.before.liveBytes;
}

/** Waits until only the bystander's session is left. */
async function expectEnded(): Promise<void> {
  await vi.waitFor(async () => expect((await fixture.server.ask("counts")).active).toBe(1), { timeout: timeoutMs });
}

/** Sends datagrams from the caller's address, without DTLS and SRTP. */
function asCaller({ peer }: WebRTCCaller): (data: Buffer) => Promise<void> {
  const { iceTransport } = peer.connection.dtlsTransports[0] ?? {};
  return async (data) => iceTransport?.connection.send(data);
}

/** The address at which the server receives the caller: the first candidate of its answer. */
function serverAddress({ peer }: WebRTCCaller): readonly [host: string, port: number] {
  const [, host = "", port] = peer.connection.remoteDescription?.sdp.match(/udp \d+ ([\d.]+) (\d+)/) ?? [];
  return [host, Number(port)];
}

test("a call survives 2,000 valid and invalid text messages", async () => {
  const caller = await fixture.server.callByWebRTC();
  await expectEcho(caller);
  const texts = [
    "ping: 1",
    "no JSON",
    '{"type":"signalling","message":{"type":"trackStatus","receiver_index":0,"enabled":true}}',
    '{"type":"signalling","message":{"type":"trackStatus","receiver_index":1e99,"enabled":[]}}',
    '{"label":"rtvi-ai","type":"client-ready","id":"1","data":{"version":"2.1.0"}}',
    '{"label":"rtvi-ai","type":"send-text","id":"2","data":{"content":"x"}}',
    '{"__proto__":{"polluted":1}}',
    "[".repeat(3_000),
    "null",
  ];
  const { channel, connection } = caller.peer;
  const { sctpTransport } = connection;
  // In portions, because the SCTP of this side retransmits what a burst loses only after seconds.
  await flood(2_000, async (index) => {
    channel?.send(texts[index % texts.length] ?? "");
    // An empty text in the encoding of browsers (RFC 8831, section 6.6), which the library on this side cannot send.
    if (index % 10 === 5) void sctpTransport?.sctp.send(channel?.id ?? 0, 56, Buffer.alloc(1));
    if (index % 10 === 0) await until("the messages are sent", () => channel?.bufferedAmount === 0, timeoutMs);
  });
  await until("all messages are sent", () => channel?.bufferedAmount === 0, timeoutMs);
  expect(await grownBytes()).toBeLessThan(40_000_000);
  await expectEcho(caller);
  await caller.hangUp();
  expect(await fixture.server.ask("pollution")).toEqual([]);
  const warnings = fixture.server.log.filter(({ level, session }) => level >= 40 && session !== undefined);
  expect(warnings.length, "warnings and errors").toBeLessThan(10);
});

test("messages far above the announced size cost less than 30 MB", async () => {
  const caller = await fixture.server.callByWebRTC();
  const { sctpTransport } = caller.peer.connection;
  const huge = Buffer.alloc(2_000_000, "x");
  void sctpTransport?.sctp.send(caller.peer.channel?.id ?? 1, 51, huge).catch(() => undefined);
  void sctpTransport?.sctp.send(caller.peer.channel?.id ?? 1, 53, huge).catch(() => undefined);
  let most = 0;
  await flood(20, async () => {
    most = Math.max(most, await grownBytes());
  });
  expect(most).toBeLessThan(30_000_000);
  caller.drop();
});

test("300 data channels end the call", async () => {
  const caller = await fixture.server.callByWebRTC();
  await flood(300, (index) => caller.peer.connection.createDataChannel(`channel ${index}`));
  await expectEnded();
  expect(await grownBytes()).toBeLessThan(10_000_000);
  caller.drop();
});

test("a call survives SCTP chunks and parameters of length 0", async () => {
  const caller = await fixture.server.callByWebRTC();
  await expectEcho(caller);
  const sctp = createSctpWriter(caller.peer.connection);
  const ofNoLength = Buffer.from("00010000", "hex");
  const fields = Buffer.alloc(16);
  for (const tag of [sctp.packet, (...chunks: Buffer[]) => sctpPacket(0, ...chunks)]) {
    for (let type = 0; type < 256; type++) await sctp.send(tag(chunk(type, 0, Buffer.alloc(0), 0)));
    for (const type of [4, 5, 9, 130]) await sctp.send(tag(chunk(type, 0, ofNoLength)));
    await sctp.send(tag(chunk(2, 0, Buffer.concat([fields, ofNoLength]))));
  }
  await expectEcho(caller);
  await caller.hangUp();
});

test("a call survives 100 SCTP acknowledgements of everything", async () => {
  const caller = await fixture.server.callByWebRTC();
  await expectEcho(caller);
  const sctp = createSctpWriter(caller.peer.connection);
  const all = Array.from({ length: 300 }, () => [0, 65_535] as const);
  await flood(100, () => sctp.send(sctp.packet(sackChunk(0, all))));
  await expectEcho(caller);
  await caller.hangUp();
});

test.each([
  ["whose first chunk never arrives", 1, first | last | unordered],
  ["without a last fragment", 0, first],
  ["without a first fragment", 0, unordered],
])("50,000 SCTP data chunks %s end the call", async (_, skipped, flags) => {
  const caller = await fixture.server.callByWebRTC();
  await expectEcho(caller);
  const sctp = createSctpWriter(caller.peer.connection);
  const firstTsn = sctp.nextTsn + skipped;
  await flood(1_000, (index) =>
    sctp.send(
      sctp.packet(
        ...Array.from({ length: 50 }, (_, chunk) =>
          dataChunk({ tsn: firstTsn + 50 * index + chunk, stream: 9, flags }),
        ),
      ),
    ),
  );
  await expectEnded();
  expect(await grownBytes()).toBeLessThan(10_000_000);
  caller.drop();
});

test("a call survives encrypted junk instead of SCTP", async () => {
  const caller = await fixture.server.callByWebRTC();
  const random = createRandom(6);
  const dtls = caller.peer.connection.dtlsTransports[0];
  const header = Buffer.from([0x13, 0x88, 0x13, 0x88]); // both ports 5000
  await flood(3_000, async (index) => {
    const junk = random.bytes(random.number(index % 100 === 0 ? 1_100 : 60));
    await dtls?.sendData(index % 2 === 0 ? junk : Buffer.concat([header, junk]));
  });
  await expectEcho(caller);
  await caller.hangUp();
});

test("a call survives invalid Opus in valid packets", async () => {
  const caller = await fixture.server.callByWebRTC();
  const random = createRandom(7);
  await flood(3_000, (index) => caller.peer.sendAudio(random.bytes(random.number(index % 50 === 0 ? 1_200 : 30))));
  // The burst is a minute of audio, which the jitter buffer skips before the voice is whole again.
  await vi.waitFor(() => expectEcho(caller), { timeout: timeoutMs });
  await caller.hangUp();
});

test("a call survives invalid RTP, RTCP and STUN from the caller's address", async () => {
  const caller = await fixture.server.callByWebRTC();
  await expectEcho(caller);
  const random = createRandom(8);
  const send = asCaller(caller);
  await flood(10_000, async (index) => {
    const first = [0x80, 0x90, 0xbf, 0x00, 0x01][index % 5] ?? 0;
    const second = index % 3 === 0 ? 200 + random.number(6) : random.number(256);
    await send(Buffer.concat([Buffer.from([first, second]), random.bytes(random.number(100))]));
  });
  await expectEcho(caller);
  await caller.hangUp();
});

test("a call survives RTP headers that claim to be longer than the packet", async () => {
  const caller = await fixture.server.callByWebRTC();
  await expectEcho(caller);
  const send = asCaller(caller);
  for (const [header, length] of [
    ["906f00010000000000000001bedeffff", 36],
    ["906f000100000000000000011000ffff", 36],
    ["9f6f00010000000000000001bedeffff", 36],
    // Within the packet, but longer than a header can be.
    ["906f0001000000000000000110000fff", 16_400],
  ] as const) {
    const packet = Buffer.alloc(length, 1);
    packet.write(header, "hex");
    await flood(20, () => send(packet));
  }
  await expectEcho(caller);
  await caller.hangUp();
});

test("invalid DTLS from the caller's address costs less than 3 MB and does not disturb other calls", async () => {
  const caller = await fixture.server.callByWebRTC();
  const random = createRandom(9);
  const send = asCaller(caller);
  await flood(10_000, async () => {
    const type = 20 + random.number(44);
    const length = random.number(100);
    const record = Buffer.from([type, 254, 253, 0, random.number(2), 0, 0, 0, 0, 0, random.number(256), 0, length]);
    await send(Buffer.concat([record, random.bytes(random.number(3) === 0 ? length : random.number(100))]));
  });
  // Fragments of a handshake message that never becomes complete.
  const part = Buffer.from("16fefd000000000000000104a00b0186a00000000000000494", "hex");
  await flood(10_000, () => send(Buffer.concat([part, Buffer.alloc(1_172)])));
  expect(await grownBytes()).toBeLessThan(3_000_000);
  // Messages that claim a length of 16 MiB.
  const whole = Buffer.from("16fefd0000000000000001000d0bffffff0009000000ffffff", "hex");
  await flood(1_000, () => send(Buffer.concat([whole, Buffer.alloc(1)])));
  expect(await grownBytes()).toBeLessThan(3_000_000);
  caller.drop();
});

describe("video, of which the bot takes pictures all the time:", () => {
  /** A caller whose video the bot has accepted. */
  async function callWithVideo(): Promise<WebRTCCaller> {
    const caller = await fixture.server.callByWebRTC({ body: { watch: true } }, { videoSections: 2 });
    const asked = () => caller.signals.some((signal) => Object(signal).type === "renegotiate");
    await until("the bot asks for an offer", asked, timeoutMs);
    const { sdp } = await sendOffer(caller.endpoint, { sdp: await caller.peer.offer(), pc_id: caller.pcId });
    await caller.peer.accept(sdp);
    return caller;
  }

  const filled = (first: number, length = 1_100) => Uint8Array.of(first, ...new Uint8Array(length));
  const attacks: Readonly<Record<string, (index: number) => Partial<Parameters<PeerCaller["sendVideo"]>[0]>>> = {
    "an endless frame": () => ({}),
    "a key frame that never ends": (index) => ({ payload: index === 0 ? filled(0x10) : filled(0) }),
    "a frame per packet": (index) => ({ timestamp: index }),
    "tiny packets": () => ({ payload: filled(0, 1) }),
    "key frames that are none": () => ({ payload: filled(0x10), marker: true }),
  };

  test.each(Object.entries(attacks))("%s uses bounded memory, and the caller's voice continues", async (_, attack) => {
    const caller = await callWithVideo();
    // Twice as many as are taken at once.
    await flood(4_000, (index) => {
      const packet = { payload: filled(0), sequenceNumber: index & 0xffff, timestamp: 1, marker: false };
      caller.peer.sendVideo({ ...packet, ...attack(index) }, index % 2);
    });
    expect(await grownBytes()).toBeLessThan(10_000_000);
    await expectEcho(caller);
    await caller.hangUp();
  });

  test("after junk, the bot takes pictures again", async () => {
    const caller = await callWithVideo();
    const random = createRandom(11);
    await flood(3_000, (index) => {
      const payload = random.bytes(random.number(index % 50 === 0 ? 1_100 : 60));
      const marker = random.number(2) === 0;
      // Nearly in order: SRTP cannot decrypt packets of a sender whose numbers jump through their whole range.
      const sequenceNumber = index + random.number(20);
      caller.peer.sendVideo({ payload, sequenceNumber, timestamp: random.number(5), marker });
    });
    let sequenceNumber = 3_020;
    await vi.waitFor(
      () => {
        for (const packet of packetize(keyFrame(640, 480), { sequenceNumber, timestamp: 90_000 + sequenceNumber }))
          caller.peer.sendVideo(packet);
        sequenceNumber += 3;
        expect(caller.messages).toContainEqual({ source: "camera", width: 640 });
      },
      { timeout: timeoutMs },
    );
    await expectEcho(caller);
    await caller.hangUp();
  });
});

test("a call survives junk from other addresses", async () => {
  const caller = await fixture.server.callByWebRTC();
  await expectEcho(caller);
  const [host, port] = serverAddress(caller);
  const random = createRandom(10);
  const sockets = Array.from({ length: 8 }, () => createSocket("udp4"));
  await flood(20_000, (index) => {
    const first = index % 2 === 0 ? random.number(256) : random.number(4);
    sockets[index % 8]?.send(Buffer.concat([Buffer.from([first]), random.bytes(random.number(60))]), port, host);
  });
  for (const socket of sockets) socket.close();
  await expectEcho(caller);
  expect(await grownBytes()).toBeLessThan(15_000_000);
  await caller.hangUp();
});
