import type { Snapshot } from "@pipecat-ts/runner-core";

/** An image file with its format and size. */
export type Image = Pick<Snapshot, "data" | "type" | "width" | "height">;

type Size = Pick<Snapshot, "width" | "height">;

/** Reads format and size of a PNG, JPEG or WebP file from its header. Undefined for other files. Does not decode the image. */
export function parseImage(data: Buffer): Image | undefined {
  for (const [type, sizeOf] of [
    ["image/png", pngSize],
    ["image/jpeg", jpegSize],
    ["image/webp", webpSize],
  ] as const) {
    const size = sizeOf(data);
    if (size && size.width > 0 && size.height > 0) return { data, type, ...size };
  }
  return undefined;
}

/** PNG specification, 5.2 and 11.2.1: the signature, then the chunk IHDR. */
function pngSize(file: Buffer): Size | undefined {
  if (file.length < 24 || file.toString("latin1", 0, 8) !== "\x89PNG\r\n\x1a\n") return undefined;
  if (file.toString("latin1", 12, 16) !== "IHDR") return undefined;
  return { width: file.readUInt32BE(16), height: file.readUInt32BE(20) };
}

/** ITU-T T.81, annex B: segments up to the start of frame, SOF0 to SOF15 except DHT (C4), JPG (C8) and DAC (CC). */
function jpegSize(file: Buffer): Size | undefined {
  if (file.length < 2 || file.readUInt16BE(0) !== 0xffd8) return undefined;
  for (let at = 2; at + 9 <= file.length && file[at] === 0xff; ) {
    const marker = file.readUInt8(at + 1);
    if (marker === 0xff)
      at += 1; // A fill byte.
    else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker))
      return { width: file.readUInt16BE(at + 7), height: file.readUInt16BE(at + 5) };
    else at += 2 + file.readUInt16BE(at + 2);
  }
  return undefined;
}

/** RFC 9649, 2: a RIFF file whose first chunk is VP8, VP8L or VP8X. */
function webpSize(file: Buffer): Size | undefined {
  if (file.length < 30 || file.toString("latin1", 0, 4) !== "RIFF" || file.toString("latin1", 8, 12) !== "WEBP")
    return undefined;
  switch (file.toString("latin1", 12, 16)) {
    case "VP8 ":
      return { width: file.readUInt16LE(26) & 0x3fff, height: file.readUInt16LE(28) & 0x3fff };
    case "VP8L": {
      const bits = file.readUInt32LE(21);
      return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
    }
    case "VP8X":
      return { width: file.readUIntLE(24, 3) + 1, height: file.readUIntLE(27, 3) + 1 };
    default:
      return undefined;
  }
}
