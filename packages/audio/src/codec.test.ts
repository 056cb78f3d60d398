import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  alawSilence,
  decodeAlaw,
  decodeMulaw,
  decodePcm16,
  encodeAlaw,
  encodeMulaw,
  encodePcm16,
  mulawSilence,
} from "./codec.ts";

const everySample = Int16Array.from({ length: 65_536 }, (_, index) => index - 32_768);
const everyByte = Uint8Array.from({ length: 256 }, (_, index) => index);

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

// Hashes of the output of Python's audioop: lin2ulaw and lin2alaw for all samples, ulaw2lin and alaw2lin for all bytes.
const laws = [
  {
    name: "mu-law",
    encode: encodeMulaw,
    decode: decodeMulaw,
    silence: mulawSilence,
    encoded: "81d633c9e6972a18c74a58720b96cb8ca0bdd096d4060b646dd708c3b846019a",
    decoded: "3dab54339e520bb2c924826e3b72a917a2b612e9fd12fc867500f1d983a75827",
    largest: 32_124,
    ambiguousBytes: [0x7f, 0xff], // -0 and 0
  },
  {
    name: "A-law",
    encode: encodeAlaw,
    decode: decodeAlaw,
    silence: alawSilence,
    encoded: "38488f6fd710f4686360edc4d38639f96c491595ef93f8eb8d62d5e07ca6ce7b",
    decoded: "e04788d110e58ff8c70c93b8480190d973e3b67876b6119abbaec766cc75c174",
    largest: 32_256,
    ambiguousBytes: [],
  },
];

describe.each(laws)("$name", ({ encode, decode, silence, encoded, decoded, largest, ambiguousBytes }) => {
  it("encodes every sample like the reference code", () => {
    expect(sha256(encode(everySample))).toBe(encoded);
  });

  it("decodes every byte like the reference code", () => {
    const samples = decode(everyByte);
    expect(sha256(new Uint8Array(samples.buffer))).toBe(decoded);
  });

  it("restores every byte after decoding and encoding", () => {
    const again = encode(decode(everyByte));
    const changed = everyByte.filter((byte) => again[byte] !== byte);
    expect([...changed].every((byte) => (ambiguousBytes as number[]).includes(byte))).toBe(true);
  });

  it("keeps the sign of the largest samples", () => {
    expect([...decode(encode(Int16Array.of(32_767, -32_768)))]).toEqual([largest, -largest]);
  });

  it("exports the byte for silence", () => {
    expect([...encode(new Int16Array(3))]).toEqual([silence, silence, silence]);
    expect(Math.abs(decode(Uint8Array.of(silence))[0] as number)).toBeLessThanOrEqual(8);
  });

  it("accepts empty input and a part of a buffer", () => {
    expect(encode(new Int16Array(0))).toHaveLength(0);
    expect(decode(everyByte.subarray(7, 9))).toEqual(decode(everyByte).slice(7, 9));
  });
});

describe("16-bit PCM", () => {
  it("is little-endian", () => {
    expect([...encodePcm16(Int16Array.of(0x1234, -2))]).toEqual([0x34, 0x12, 0xfe, 0xff]);
    expect([...decodePcm16(Uint8Array.of(0x34, 0x12, 0xfe, 0xff))]).toEqual([0x1234, -2]);
  });

  it("restores every sample", () => {
    const samples = Int16Array.from({ length: 65_536 }, (_, index) => index - 32_768);
    expect(decodePcm16(encodePcm16(samples))).toEqual(samples);
  });

  it("decodes bytes that start at an odd offset", () => {
    const buffer = Uint8Array.of(9, 1, 0, 2, 0, 9);
    expect([...decodePcm16(buffer.subarray(1, 5))]).toEqual([1, 2]);
  });

  it("encodes a part of a buffer", () => {
    expect([...encodePcm16(Int16Array.of(7, 8, 9).subarray(1, 2))]).toEqual([8, 0]);
  });

  it("ignores an odd last byte", () => {
    expect([...decodePcm16(Uint8Array.of(1, 0, 2))]).toEqual([1]);
    expect(decodePcm16(Uint8Array.of(1))).toHaveLength(0);
    expect(decodePcm16(new Uint8Array(0))).toHaveLength(0);
  });

  it("does not share memory with its input", () => {
    const bytes = Uint8Array.of(1, 0);
    const samples = decodePcm16(bytes);
    bytes[0] = 5;
    expect(samples[0]).toBe(1);
  });
});
