import { expect, test } from "vitest";
import { deltaFrame, keyFrame } from "./test/vp8-packets.ts";
import { parseKeyFrame, parseVp8Payload } from "./vp8.ts";

test.each([
  ["no extension", "10", true],
  ["no extension, inside a frame", "00", false],
  ["another partition", "11", false],
  ["the bit for non-reference frames", "30", true],
  ["no extension fields", "9000", true],
  ["a short picture id", "90807f", true],
  ["a long picture id", "9080ffff", true],
  ["TL0PICIDX", "904012", true],
  ["TID", "902012", true],
  ["KEYIDX", "901012", true],
  ["all fields", "90f0ffff1234", true],
])("reads the data after a descriptor with %s", (_, descriptor, startsFrame) => {
  const payload = Buffer.from(`${descriptor}abcdef`, "hex");
  expect(parseVp8Payload(payload)).toEqual({ data: Buffer.from("abcdef", "hex"), startsFrame });
});

test.each(["", "10", "90", "9080", "90807f", "9080ffff", "90f0ffff1234"])(
  "returns nothing for %j without data",
  (hex) => {
    expect(parseVp8Payload(Buffer.from(hex, "hex"))).toBeUndefined();
  },
);

test.each([
  [1, 1],
  [640, 480],
  [1_920, 1_080],
  [16_383, 16_383],
])("reads the size of a key frame: %i x %i", (width, height) => {
  expect(parseKeyFrame(keyFrame(width, height))).toEqual({ width, height });
});

test("ignores the upscaling that a key frame suggests", () => {
  const frame = keyFrame(640, 480);
  frame[7] = (frame[7] ?? 0) | 0xc0;
  frame[9] = (frame[9] ?? 0) | 0x40;
  expect(parseKeyFrame(frame)).toEqual({ width: 640, height: 480 });
});

/** A key frame with one byte replaced. */
function changed(index: number, value: number): Uint8Array {
  const frame = keyFrame(640, 480);
  frame[index] = value;
  return frame;
}

test.each<[string, Uint8Array]>([
  ["an inter frame", deltaFrame()],
  ["a frame without its header", keyFrame(640, 480).subarray(0, 9)],
  ["another start code", changed(3, 0x9c)],
  ["another start code", changed(5, 0x2b)],
  ["an unknown version", changed(0, 0x98)],
  ["a frame that is not shown", changed(0, 0x80)],
  ["a first partition that is longer than the frame", changed(2, 0x7f)],
  ["a picture without width", keyFrame(0, 480)],
  ["a picture without height", keyFrame(640, 0)],
  ["nothing", new Uint8Array()],
])("rejects %s", (_, frame) => {
  expect(parseKeyFrame(frame)).toBeUndefined();
});
