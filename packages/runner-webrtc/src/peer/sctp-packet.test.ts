import { expect, test } from "vitest";
import { isSoundSctp } from "./sctp-packet.ts";
import { chunk, dataChunk, sackChunk, sctpPacket } from "./test/sctp-writer.ts";

const cookieAck = 11;
const parameter = Buffer.from("0001000811223344", "hex");
const ofNoLength = Buffer.from("00010000", "hex");
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
  ["a chunk that the engine does not know", chunk(99, 0, ofNoLength)],
])("sound: %s", (_, chunks) => {
  expect(isSoundSctp(sctpPacket(1, chunks))).toBe(true);
});

test.each([
  ["a chunk of no length", chunk(cookieAck, 0, Buffer.alloc(0), 0)],
  ["a chunk of no length after another", Buffer.concat([dataChunk({ tsn: 1 }), chunk(99, 0, Buffer.alloc(0), 0)])],
  ["a chunk shorter than its header", chunk(cookieAck, 0, Buffer.alloc(0), 3)],
  ["a chunk past the end", chunk(cookieAck, 0, Buffer.alloc(4), 12)],
  ["data without a byte", dataChunk({ tsn: 1, content: "" })],
  ["a parameter of no length in HEARTBEAT", chunk(4, 0, ofNoLength)],
  ["a parameter of no length in its answer", chunk(5, 0, ofNoLength)],
  ["a parameter of no length in ABORT", chunk(6, 0, ofNoLength)],
  ["a parameter of no length in ERROR", chunk(9, 0, ofNoLength)],
  ["a parameter of no length in RE-CONFIG", chunk(130, 0, ofNoLength)],
  ["a parameter of no length in INIT", chunk(1, 0, Buffer.concat([initFields, ofNoLength]))],
  ["a parameter of no length in its answer", chunk(2, 0, Buffer.concat([initFields, ofNoLength]))],
  ["a parameter of no length after another", chunk(4, 0, Buffer.concat([parameter, ofNoLength]))],
  ["SACK that acknowledges all there can be, many times", sackChunk(1, Array(300).fill([0, 65_535]))],
  ["SACK without its fields", chunk(3, 0, Buffer.alloc(8))],
  ["SACK of more blocks than it has", chunk(3, 0, Buffer.from("0000000100010000ffffffff", "hex"))],
  ["a packet that no network carries", chunk(cookieAck, 0, Buffer.alloc(2_048))],
])("not sound: %s", (_, chunks) => {
  expect(isSoundSctp(sctpPacket(1, chunks))).toBe(false);
});
