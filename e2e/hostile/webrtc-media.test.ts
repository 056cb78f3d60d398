import { createSocket } from "node:dgram";
import { setImmediate as turn } from "node:timers/promises";
import { until } from "@pipecat-ts/runner-testing";
import { afterEach, expect, test, vi } from "vitest";
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
import type { WebRTCCaller } from "../../packages/runner-webrtc/src/test/fake-caller.ts";
import { talkAndListen } from "../server/talk.ts";
import { useGround } from "./ground.ts";
import { createRandom } from "./random.ts";

const ground = useGround({ transport: "webrtc" });
afterEach(() => ground.server.ask("endLater"));
const patienceMs = 20_000;

/** Does something many times, and lets this process' other callers live meanwhile. */
async function flood(count: number, act: (index: number) => unknown): Promise<void> {
  for (let index = 0; index < count; index++) {
    await act(index);
    if (index % 50 === 0) await turn();
  }
}

/** What the server's live objects have grown by, in bytes. */
async function grownBytes(): Promise<number> {
  return (await ground.server.ask("holdings")).liveBytes - ground.before.liveBytes;
}

/** Waits until the server has ended the caller's session. The bystander's is left. */
async function letGo(): Promise<void> {
  await vi.waitFor(async () => expect((await ground.server.ask("counts")).active).toBe(1), { timeout: patienceMs });
}

/** Sends a datagram as the caller, past everything that would keep it from being nonsense. */
function asCaller({ peer }: WebRTCCaller): (data: Buffer) => Promise<void> {
  const { iceTransport } = peer.connection.dtlsTransports[0] ?? {};
  return async (data) => iceTransport?.connection.send(data);
}

/** Where the server hears the caller: the first address of its answer. */
function serverAddress({ peer }: WebRTCCaller): readonly [host: string, port: number] {
  const [, host = "", port] = peer.connection.remoteDescription?.sdp.match(/udp \d+ ([\d.]+) (\d+)/) ?? [];
  return [host, Number(port)];
}

test("texts by the thousand, of every kind, and the caller is heard after them", async () => {
  const caller = await ground.server.callByWebRTC();
  await talkAndListen(caller);
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
  // In portions: what the system's buffers lose of a burst, the engine on this side sends again only after seconds.
  await flood(2_000, async (index) => {
    channel?.send(texts[index % texts.length] ?? "");
    // An empty text, as browsers send it (RFC 8831, section 6.6). The engine on this side would send none, and number it.
    if (index % 10 === 5) void sctpTransport?.sctp.send(channel?.id ?? 0, 56, Buffer.alloc(1));
    if (index % 10 === 0) await until("it is sent", () => channel?.bufferedAmount === 0, patienceMs);
  });
  await until("all is sent", () => channel?.bufferedAmount === 0, patienceMs);
  expect(await grownBytes()).toBeLessThan(40_000_000);
  await talkAndListen(caller);
  await caller.hangUp();
  expect(await ground.server.ask("pollution")).toEqual([]);
  const complaints = ground.server.log.filter(({ level, session }) => level >= 40 && session !== undefined);
  expect(complaints.length, "log lines that the caller caused").toBeLessThan(10);
});

test("messages far above the size that was announced", async () => {
  const caller = await ground.server.callByWebRTC();
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

test("hundreds of data channels: the caller is let go", async () => {
  const caller = await ground.server.callByWebRTC();
  await flood(300, (index) => caller.peer.connection.createDataChannel(`channel ${index}`));
  await letGo();
  expect(await grownBytes()).toBeLessThan(10_000_000);
  caller.drop();
});

test("SCTP that says it has no length, so that reading it never ends", async () => {
  const caller = await ground.server.callByWebRTC();
  await talkAndListen(caller);
  const sctp = createSctpWriter(caller.peer.connection);
  const ofNoLength = Buffer.from("00010000", "hex");
  const fields = Buffer.alloc(16);
  for (const tag of [sctp.packet, (...chunks: Buffer[]) => sctpPacket(0, ...chunks)]) {
    for (let type = 0; type < 256; type++) await sctp.send(tag(chunk(type, 0, Buffer.alloc(0), 0)));
    for (const type of [4, 5, 9, 130]) await sctp.send(tag(chunk(type, 0, ofNoLength)));
    await sctp.send(tag(chunk(2, 0, Buffer.concat([fields, ofNoLength]))));
  }
  await talkAndListen(caller);
  await caller.hangUp();
});

test("SCTP that acknowledges whatever there can be, a hundred times over", async () => {
  const caller = await ground.server.callByWebRTC();
  await talkAndListen(caller);
  const sctp = createSctpWriter(caller.peer.connection);
  const all = Array.from({ length: 300 }, () => [0, 65_535] as const);
  await flood(100, () => sctp.send(sctp.packet(sackChunk(0, all))));
  await talkAndListen(caller);
  await caller.hangUp();
});

test.each([
  ["of which the first never comes", 1, first | last | unordered],
  ["whose message never ends", 0, first],
  ["whose message never begins", 0, unordered],
])("SCTP by the chunk, %s: the caller is let go", async (_, skipped, flags) => {
  const caller = await ground.server.callByWebRTC();
  await talkAndListen(caller);
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
  await letGo();
  expect(await grownBytes()).toBeLessThan(10_000_000);
  caller.drop();
});

test("junk in place of SCTP, encrypted as it has to be", async () => {
  const caller = await ground.server.callByWebRTC();
  const random = createRandom(6);
  const dtls = caller.peer.connection.dtlsTransports[0];
  const header = Buffer.from([0x13, 0x88, 0x13, 0x88]); // both ports 5000
  await flood(3_000, async (index) => {
    const junk = random.bytes(random.number(index % 100 === 0 ? 1_100 : 60));
    await dtls?.sendData(index % 2 === 0 ? junk : Buffer.concat([header, junk]));
  });
  await talkAndListen(caller);
  await caller.hangUp();
});

test("Opus that is none, in good packets, and the caller is heard after it", async () => {
  const caller = await ground.server.callByWebRTC();
  const random = createRandom(7);
  await flood(3_000, (index) => caller.peer.sendAudio(random.bytes(random.number(index % 50 === 0 ? 1_200 : 30))));
  // What came in a burst is a minute of sound, which is skipped over before the voice is whole again.
  await vi.waitFor(() => talkAndListen(caller), { timeout: patienceMs });
  await caller.hangUp();
});

test("junk from the caller's own address: RTP, RTCP and STUN that are none", async () => {
  const caller = await ground.server.callByWebRTC();
  await talkAndListen(caller);
  const random = createRandom(8);
  const send = asCaller(caller);
  await flood(10_000, async (index) => {
    const first = [0x80, 0x90, 0xbf, 0x00, 0x01][index % 5] ?? 0;
    const second = index % 3 === 0 ? 200 + random.number(6) : random.number(256);
    await send(Buffer.concat([Buffer.from([first, second]), random.bytes(random.number(100))]));
  });
  await talkAndListen(caller);
  await caller.hangUp();
});

test("media from the caller's own address whose header says that it goes on for ever", async () => {
  const caller = await ground.server.callByWebRTC();
  await talkAndListen(caller);
  const send = asCaller(caller);
  for (const [header, length] of [
    ["906f00010000000000000001bedeffff", 36],
    ["906f000100000000000000011000ffff", 36],
    ["9f6f00010000000000000001bedeffff", 36],
    // Within the packet, but more than a header has.
    ["906f0001000000000000000110000fff", 16_400],
  ] as const) {
    const packet = Buffer.alloc(length, 1);
    packet.write(header, "hex");
    await flood(20, () => send(packet));
  }
  await talkAndListen(caller);
  await caller.hangUp();
});

test("junk from the caller's own address: DTLS that is none, which may end the call but no other", async () => {
  const caller = await ground.server.callByWebRTC();
  const random = createRandom(9);
  const send = asCaller(caller);
  await flood(10_000, async () => {
    const type = 20 + random.number(44);
    const length = random.number(100);
    const record = Buffer.from([type, 254, 253, 0, random.number(2), 0, 0, 0, 0, 0, random.number(256), 0, length]);
    await send(Buffer.concat([record, random.bytes(random.number(3) === 0 ? length : random.number(100))]));
  });
  // Parts of a handshake that never become a whole.
  const part = Buffer.from("16fefd000000000000000104a00b0186a00000000000000494", "hex");
  await flood(10_000, () => send(Buffer.concat([part, Buffer.alloc(1_172)])));
  expect(await grownBytes()).toBeLessThan(3_000_000);
  // And wholes, as they say of themselves, of 16 MiB.
  const whole = Buffer.from("16fefd0000000000000001000d0bffffff0009000000ffffff", "hex");
  await flood(1_000, () => send(Buffer.concat([whole, Buffer.alloc(1)])));
  expect(await grownBytes()).toBeLessThan(3_000_000);
  caller.drop();
});

test("junk from everywhere else, to the address of a call and of one on the way", async () => {
  const caller = await ground.server.callByWebRTC();
  await talkAndListen(caller);
  const [host, port] = serverAddress(caller);
  const random = createRandom(10);
  const sockets = Array.from({ length: 8 }, () => createSocket("udp4"));
  await flood(20_000, (index) => {
    const first = index % 2 === 0 ? random.number(256) : random.number(4);
    sockets[index % 8]?.send(Buffer.concat([Buffer.from([first]), random.bytes(random.number(60))]), port, host);
  });
  for (const socket of sockets) socket.close();
  await talkAndListen(caller);
  expect(await grownBytes()).toBeLessThan(15_000_000);
  await caller.hangUp();
});
