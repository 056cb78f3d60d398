import { expect, test } from "vitest";
import { isSoundRtp } from "./rtp-header.ts";

/** A header of RTP in hex, and as many bytes after it. */
function packet(header: string, more: number): Buffer {
  return Buffer.concat([Buffer.from(header.replaceAll(" ", ""), "hex"), Buffer.alloc(more)]);
}

test.each([
  ["plain", packet("806f0001 00000000 00000001", 20)],
  ["with sources", packet("826f0001 00000000 00000001 00000002 00000003", 0)],
  ["with a browser's extensions", packet("906f0001 00000000 00000001 bede0008", 32 + 100)],
  ["with a source and an extension that fills the packet", packet("916f0001 00000000 00000001 00000002 10000001", 4)],
])("sound: %s", (_, bytes) => {
  expect(isSoundRtp(bytes)).toBe(true);
});

test.each([
  ["no whole header", packet("806f0001 00000000 000000", 0)],
  ["sources past the end", packet("8f6f0001 00000000 00000001", 59)],
  ["an extension of 262,140 bytes in a packet of 36", packet("906f0001 00000000 00000001 bedeffff", 20)],
  ["an extension past the end by a word", packet("906f0001 00000000 00000001 bede0006", 20)],
  ["an extension whose length is cut off", packet("906f0001 00000000 00000001 bede", 0)],
  ["sources that leave no room for an extension", packet("946f0001 00000000 00000001", 16)],
  ["a long extension, whole", packet("906f0001 00000000 00000001 bede0100", 1_024)],
  ["a packet that no network carries", packet("806f0001 00000000 00000001", 2_048)],
])("not sound: %s", (_, bytes) => {
  expect(isSoundRtp(bytes)).toBe(false);
});
