import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { alawSilence, decodeAlaw, decodeMulaw, encodeAlaw, encodeMulaw, mulawSilence } from "./g711.ts";

const everySample = Int16Array.from({ length: 65_536 }, (_, index) => index - 32_768);
const everyByte = Uint8Array.from({ length: 256 }, (_, index) => index);

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

// The hashes are those of Python's audioop: lin2ulaw and lin2alaw of every sample, ulaw2lin and alaw2lin of every byte.
const laws = [
  {
    name: "mu-law",
    encode: encodeMulaw,
    decode: decodeMulaw,
    silence: mulawSilence,
    encoded: "81d633c9e6972a18c74a58720b96cb8ca0bdd096d4060b646dd708c3b846019a",
    decoded: "3dab54339e520bb2c924826e3b72a917a2b612e9fd12fc867500f1d983a75827",
    largest: 32_124,
    bytesOfEqualSound: [0x7f, 0xff], // minus zero and zero
  },
  {
    name: "A-law",
    encode: encodeAlaw,
    decode: decodeAlaw,
    silence: alawSilence,
    encoded: "38488f6fd710f4686360edc4d38639f96c491595ef93f8eb8d62d5e07ca6ce7b",
    decoded: "e04788d110e58ff8c70c93b8480190d973e3b67876b6119abbaec766cc75c174",
    largest: 32_256,
    bytesOfEqualSound: [],
  },
];

describe.each(laws)("$name", ({ encode, decode, silence, encoded, decoded, largest, bytesOfEqualSound }) => {
  it("encodes every sample as the reference code does", () => {
    expect(sha256(encode(everySample))).toBe(encoded);
  });

  it("decodes every byte as the reference code does", () => {
    const samples = decode(everyByte);
    expect(sha256(new Uint8Array(samples.buffer))).toBe(decoded);
  });

  it("gives every byte back after decoding and encoding", () => {
    const again = encode(decode(everyByte));
    const changed = everyByte.filter((byte) => again[byte] !== byte);
    expect([...changed].every((byte) => (bytesOfEqualSound as number[]).includes(byte))).toBe(true);
  });

  it("keeps the loudest samples loud and of their sign", () => {
    expect([...decode(encode(Int16Array.of(32_767, -32_768)))]).toEqual([largest, -largest]);
  });

  it("names its byte of silence", () => {
    expect([...encode(new Int16Array(3))]).toEqual([silence, silence, silence]);
    expect(Math.abs(decode(Uint8Array.of(silence))[0] as number)).toBeLessThanOrEqual(8);
  });

  it("takes nothing and a part of a buffer", () => {
    expect(encode(new Int16Array(0))).toHaveLength(0);
    expect(decode(everyByte.subarray(7, 9))).toEqual(decode(everyByte).slice(7, 9));
  });
});
