import { describe, expect, it } from "vitest";
import { encodeWav, parseWav, wavHeader } from "./wav.ts";

const stereo = { samples: Int16Array.of(1, -1, 32_767, -32_768), sampleRate: 24_000, channels: 2 };

/** Creates a RIFF file from chunks with a name and bytes. */
function riff(...chunks: (readonly [name: string, bytes: readonly number[]])[]): Uint8Array {
  const body = chunks.flatMap(([name, bytes]) => [
    ...Buffer.from(name, "latin1"),
    ...uint32(bytes.length),
    ...bytes,
    ...(bytes.length % 2 === 0 ? [] : [0]),
  ]);
  return Uint8Array.from([...Buffer.from("RIFF"), ...uint32(body.length + 4), ...Buffer.from("WAVE"), ...body]);
}

function uint32(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}

function format({
  tag = 1,
  channels = 1,
  rate = 8_000,
  bits = 16,
  extension = [] as readonly number[],
} = {}): number[] {
  const bytesPerFrame = (channels * bits) / 8;
  return [
    ...[tag & 0xff, tag >> 8, channels, 0],
    ...uint32(rate),
    ...uint32(rate * bytesPerFrame),
    ...[bytesPerFrame, 0, bits, 0],
    ...extension,
  ];
}

describe("encodeWav", () => {
  it("writes a header of 44 bytes, then the samples", () => {
    expect(Buffer.from(encodeWav(stereo)).toString("hex")).toBe(
      [
        "52494646 2c000000 57415645", // RIFF, 44 more bytes, WAVE
        "666d7420 10000000 0100 0200 c05d0000 00770100 0400 1000", // fmt: PCM, 2 channels, 24,000 Hz, 96,000 bytes/s, 4, 16 bits
        "64617461 08000000 0100 ffff ff7f 0080", // data
      ]
        .join("")
        .replaceAll(" ", ""),
    );
  });

  it("writes files that parseWav decodes, also empty ones", () => {
    expect(parseWav(encodeWav(stereo))).toEqual(stereo);
    const empty = { samples: new Int16Array(0), sampleRate: 8_000, channels: 1 };
    expect(parseWav(encodeWav(empty))).toEqual(empty);
  });

  it("rejects fields that do not fit the format", () => {
    expect(() => encodeWav({ ...stereo, channels: 0 })).toThrow(
      new RangeError("channels: 0 is not an integer from 1 to 32767."),
    );
    expect(() => encodeWav({ ...stereo, sampleRate: 22_050.5 })).toThrow(RangeError);
    expect(() => wavHeader({ sampleRate: 8_000, channels: 32_768 }, 0)).toThrow(RangeError);
    expect(() => wavHeader({ sampleRate: 192_000, channels: 30_000 }, 0)).toThrow(RangeError);
  });
});

describe("parseWav", () => {
  it("skips unknown chunks and their padding", () => {
    const file = riff(["LIST", [1, 2, 3]], ["fmt ", format()], ["fact", [1, 0, 0, 0]], ["data", [5, 0]], ["id3 ", [1]]);
    expect(parseWav(file)).toEqual({ samples: Int16Array.of(5), sampleRate: 8_000, channels: 1 });
  });

  it("reads a file at any offset of its buffer", () => {
    const file = Uint8Array.from([0, 0, 0, ...encodeWav(stereo), 0]);
    expect(parseWav(file.subarray(3, -1))).toEqual(stereo);
  });

  it("reads PCM in the extensible format", () => {
    const extension = [22, 0, 16, 0, 3, 0, 0, 0, 1, 0, ...new Array(14).fill(0)];
    const file = riff(["fmt ", format({ tag: 0xfffe, extension })], ["data", [5, 0]]);
    expect([...parseWav(file).samples]).toEqual([5]);
  });

  it.each([
    ["8 bits", { bits: 8 }, [0x00, 0x80, 0xc0], [-32_768, 0, 16_384]],
    ["24 bits", { bits: 24 }, [0, 0, 0x80, 0xff, 0x34, 0x12, 1, 2], [-32_768, 0x1234]],
    ["24 bits in stereo", { bits: 24, channels: 2 }, [0, 1, 0, 0, 2, 0, 9, 9, 9], [1, 2]],
    ["32 bits", { bits: 32 }, [0, 0, 0xff, 0x7f], [32_767]],
    ["float", { tag: 3, bits: 32 }, [0, 0, 0, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0xc0, 0x7f], [16_384, -32_767, 0]],
  ])("converts %s to 16 bits", (_, fields, bytes, samples) => {
    expect([...parseWav(riff(["fmt ", format(fields)], ["data", bytes])).samples]).toEqual(samples);
  });

  it("reads a truncated data chunk and one of unknown length", () => {
    const truncated = encodeWav(stereo).subarray(0, -1); // 7 of 8 bytes: one whole stereo sample
    expect([...parseWav(truncated).samples]).toEqual([1, -1]);
    const piped = encodeWav(stereo);
    piped.set(uint32(0xffff_ffff), 40);
    expect(parseWav(piped)).toEqual(stereo);
  });

  it.each([
    ["no bytes", new Uint8Array(0), "Not a WAV file: the RIFF/WAVE header is missing."],
    ["text", new TextEncoder().encode("hello, this is not audio"), "Not a WAV file: the RIFF/WAVE header is missing."],
    ["no chunks", riff(), "Invalid WAV file: the data chunk is missing."],
    ["no data", riff(["fmt ", format()]), "Invalid WAV file: the data chunk is missing."],
    [
      "data first",
      riff(["data", [1, 2]], ["fmt ", format()]),
      "Invalid WAV file: the data chunk precedes the format chunk.",
    ],
    [
      "a short format",
      riff(["fmt ", [1, 0]]),
      "Invalid WAV file: the format chunk has 2 bytes instead of at least 16.",
    ],
    ["12 bits", riff(["fmt ", format({ bits: 12 })]), "The WAV file has 12-bit PCM audio. Convert it to 16-bit PCM."],
    [
      "double precision",
      riff(["fmt ", format({ tag: 3, bits: 64 })]),
      "The WAV file has 64-bit IEEE float (format 3) audio. Convert it to 16-bit PCM.",
    ],
    [
      "mu-law",
      riff(["fmt ", format({ tag: 7, bits: 8 })]),
      "The WAV file has 8-bit mu-law (format 7) audio. Convert it to 16-bit PCM.",
    ],
    [
      "an unknown format",
      riff(["fmt ", format({ tag: 0x1234 })]),
      "The WAV file has 16-bit unknown (format 4660) audio. Convert it to 16-bit PCM.",
    ],
    [
      "no channels",
      riff(["fmt ", format({ channels: 0 })]),
      "Number of channels of the WAV file: 0 is not an integer from 1 to 65535.",
    ],
    [
      "no rate",
      riff(["fmt ", format({ rate: 0 })]),
      "Sample rate of the WAV file: 0 is not an integer from 1 to 4294967295.",
    ],
  ])("rejects %s with the reason", (_, file, message) => {
    expect(() => parseWav(file)).toThrow(expect.objectContaining({ message }));
  });

  it("terminates for any bytes, and throws only errors with a reason", () => {
    const whole = riff(["LIST", [1, 2, 3]], ["fmt ", format({ channels: 2 })], ["data", [1, 0, 2, 0]]);
    for (let index = 0; index < whole.length; index++) {
      for (const value of [0, 1, 0x7f, 0xff]) {
        const corrupted = whole.slice();
        corrupted[index] = value;
        for (const file of [corrupted, corrupted.subarray(0, index)]) {
          try {
            parseWav(file);
          } catch (error) {
            expect((error as Error).message).toMatch(/WAV file/);
          }
        }
      }
    }
  });
});
