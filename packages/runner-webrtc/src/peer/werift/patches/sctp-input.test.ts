import { describe, expect, onTestFinished, test, vi } from "vitest";
import { type Call, exchangeAudio, openCall, openPeer } from "../../test/peer-fixture.ts";
import { createPeerCaller } from "../peer-caller.ts";
import { chunk, dataChunk, first, last, openSctpCall, sackChunk, sctpPacket, unordered } from "../test/sctp-writer.ts";
import { isValidSctp } from "./sctp-input.ts";

const cookieAck = 11;
const parameter = Buffer.from("0001000811223344", "hex");
const ofLengthZero = Buffer.from("00010000", "hex");
/** The fields of an INIT before its parameters. */
const initFields = Buffer.alloc(16);

test.each([
  ["a chunk without a body", chunk(cookieAck, 0, Buffer.alloc(0))],
  ["data, padded", dataChunk({ tsn: 1, content: "a" })],
  ["two chunks", Buffer.concat([dataChunk({ tsn: 1 }), dataChunk({ tsn: 2 })])],
  ["INIT", chunk(1, 0, Buffer.concat([initFields, parameter, parameter]))],
  ["INIT without parameters", chunk(1, 0, initFields)],
  ["HEARTBEAT", chunk(4, 0, parameter)],
  [
    "SACK with blocks",
    sackChunk(1, [
      [2, 3],
      [5, 900],
    ]),
  ],
  ["RE-CONFIG with two parameters", chunk(130, 0, Buffer.concat([parameter, parameter]))],
  ["SACK, HEARTBEAT and data", Buffer.concat([sackChunk(1, []), chunk(4, 0, parameter), dataChunk({ tsn: 1 })])],
  ["a chunk of an unknown type", chunk(99, 0, ofLengthZero)],
])("valid: %s", (_, chunks) => {
  expect(isValidSctp(sctpPacket(1, chunks))).toBe(true);
});

test.each([
  ["a chunk of length 0", chunk(cookieAck, 0, Buffer.alloc(0), 0)],
  ["a chunk of length 0 after another", Buffer.concat([dataChunk({ tsn: 1 }), chunk(99, 0, Buffer.alloc(0), 0)])],
  ["a chunk shorter than its header", chunk(cookieAck, 0, Buffer.alloc(0), 3)],
  ["a chunk past the end", chunk(cookieAck, 0, Buffer.alloc(4), 12)],
  ["empty data", dataChunk({ tsn: 1, content: "" })],
  ["a parameter of length 0 in HEARTBEAT", chunk(4, 0, ofLengthZero)],
  ["a parameter of length 0 in its ACK", chunk(5, 0, ofLengthZero)],
  ["a parameter of length 0 in ABORT", chunk(6, 0, ofLengthZero)],
  ["a parameter of length 0 in ERROR", chunk(9, 0, ofLengthZero)],
  ["a parameter of length 0 in RE-CONFIG", chunk(130, 0, ofLengthZero)],
  ["a parameter of length 0 in INIT", chunk(1, 0, Buffer.concat([initFields, ofLengthZero]))],
  ["a parameter of length 0 in its ACK", chunk(2, 0, Buffer.concat([initFields, ofLengthZero]))],
  ["a parameter of length 0 after another", chunk(4, 0, Buffer.concat([parameter, ofLengthZero]))],
  ["SACK with gap blocks that repeat every chunk", sackChunk(1, Array(300).fill([0, 65_535]))],
  ["SACK without its fields", chunk(3, 0, Buffer.alloc(8))],
  ["SACK with fewer gap blocks than announced", chunk(3, 0, Buffer.from("0000000100010000ffffffff", "hex"))],
  ["two heartbeats", Buffer.concat([chunk(4, 0, parameter), chunk(4, 0, parameter)])],
  ["two SACKs", Buffer.concat([sackChunk(1, []), sackChunk(1, [])])],
  ["RE-CONFIG with three parameters", chunk(130, 0, Buffer.concat([parameter, parameter, parameter]))],
  ["a packet larger than an Ethernet frame", chunk(cookieAck, 0, Buffer.alloc(2_048))],
])("invalid: %s", (_, chunks) => {
  expect(isValidSctp(sctpPacket(1, chunks))).toBe(false);
});

test("packets that would loop or fail are counted, and the call continues", async () => {
  const { peer, caller, events, sctp } = await openSctpCall();
  const before = peer.counters.messagesIgnored;
  await sctp.send(sctpPacket(0, chunk(11, 0, Buffer.alloc(0), 0)));
  await sctp.send(sctp.packet(chunk(4, 0, Buffer.from("00010000", "hex"))));
  await sctp.send(sctp.packet(sackChunk(0, Array(300).fill([0, 65_535]))));
  await sctp.send(Buffer.alloc(12)); // wrong checksum
  caller.channel?.send("hello");
  await vi.waitFor(() => expect(events.texts).toEqual(["hello"]));
  expect(peer.counters.messagesIgnored - before).toBe(4);
});

test.each([
  ["chunks without the first one", { flags: first | last | unordered }, 1, 0],
  ["messages without an end", { flags: first }, 0, 0],
  ["messages without a beginning", { flags: unordered }, 0, 0],
  ["streams", {}, 0, 1],
])("a caller that sends 4,000 %s is disconnected within 3 s", async (_, kind, skipped, streams) => {
  const { peer, sctp } = await openSctpCall();
  const chunks = Array.from({ length: 4_000 }, (_, index) =>
    dataChunk({ tsn: sctp.nextTsn + skipped + index, stream: 10 + streams * index, ...kind }),
  );
  const start = performance.now();
  await sctp.sendChunks(chunks);
  await vi.waitFor(() => expect(peer.state).toBe("closed"));
  expect(performance.now() - start).toBeLessThan(3_000);
});

describe("a data channel of a later offer", () => {
  async function expectGuarded({ peer, caller, events }: Call, say: (text: string) => void): Promise<void> {
    await vi.waitFor(() => expect(events.channel).toEqual(["open"]));
    const before = peer.counters.messagesIgnored;
    for (let count = 0; count < 20; count++)
      await caller.connection.dtlsTransports[0]?.sendData(Buffer.alloc(40, count));
    say("hello");
    await vi.waitFor(() => expect(events.texts).toEqual(["hello"]));
    expect(peer.counters.messagesIgnored - before).toBe(20);
  }

  test("is guarded if the first offer had none", async () => {
    const call = await openCall({}, { dataChannel: false });
    const late = call.caller.connection.createDataChannel("late");
    await call.caller.accept(await call.peer.answer(await call.caller.offer()));
    await expectGuarded(call, (text) => void late.send(text));
    await exchangeAudio(call);
  });

  test("is guarded if the first offer had it on a transport of its own", async () => {
    const { peer, events } = openPeer();
    const caller = createPeerCaller();
    onTestFinished(() => caller.close());
    await peer.answer((await caller.offer()).replace(/a=group.*\r\n/, ""));
    await caller.accept(await peer.answer(await caller.offer()));
    await expectGuarded({ peer, caller, events }, (text) => void caller.channel?.send(text));
    await exchangeAudio({ peer, caller, events });
  });
});
