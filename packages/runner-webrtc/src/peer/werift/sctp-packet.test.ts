import { expect, test } from "vitest";
import { isValidSctp } from "./sctp-packet.ts";
import { chunk, dataChunk, sackChunk, sctpPacket } from "./test/sctp-writer.ts";

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
  ["a packet larger than an Ethernet frame", chunk(cookieAck, 0, Buffer.alloc(2_048))],
])("invalid: %s", (_, chunks) => {
  expect(isValidSctp(sctpPacket(1, chunks))).toBe(false);
});
