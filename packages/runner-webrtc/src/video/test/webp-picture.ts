import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import decodeWebp, { init as initDecoder } from "@jsquash/webp/decode.js";
import encodeWebp, { init as initEncoder } from "@jsquash/webp/encode.js";

/** Pixels: red, green, blue and alpha, row by row. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}

/** Red, green and blue. */
export type Color = readonly [number, number, number];

const require = createRequire(import.meta.url);
const { WebAssembly: wasm } = globalThis as unknown as {
  readonly WebAssembly: { readonly Module: new (bytes: Uint8Array) => object };
};

/** In Node, the codecs cannot load their WebAssembly by themselves. Their types leave the first parameter of `init` out. */
async function load(init: unknown, file: string): Promise<void> {
  const module = new wasm.Module(readFileSync(require.resolve(`@jsquash/webp/codec/${file}`)));
  await (init as (module: object) => Promise<unknown>)(module);
}

// The decoder creates the browser's `ImageData`, which Node does not have.
(globalThis as { ImageData?: unknown }).ImageData ??= function createImageData(
  data: Uint8ClampedArray,
  width: number,
  height: number,
): Picture {
  return { data, width, height };
};

/** For tests: decodes a WebP file with Google's libwebp. Rejects if the file is damaged. */
export async function decodePicture(file: Uint8Array): Promise<Picture> {
  await load(initDecoder, "dec/webp_dec.wasm");
  return (await decodeWebp(Uint8Array.from(file).buffer)) as Picture;
}

/** For tests: the VP8 key frame of a picture, from Google's encoder. */
export async function encodeKeyFrame(picture: Picture): Promise<Uint8Array> {
  await load(initEncoder, "enc/webp_enc_simd.wasm");
  const file = Buffer.from(await encodeWebp(picture as Parameters<typeof encodeWebp>[0]));
  const at = file.indexOf("VP8 ");
  return file.subarray(at + 8, at + 8 + file.readUInt32LE(at + 4));
}

/** For tests: the mean color of each cell of a grid, row by row. */
export function gridColors({ width, height, data }: Picture, columns: number, rows: number): Color[] {
  return Array.from({ length: columns * rows }, (_, cell) => {
    const [left, top] = [cell % columns, Math.floor(cell / columns)];
    const [fromX, toX] = [Math.floor((left * width) / columns), Math.floor(((left + 1) * width) / columns)];
    const [fromY, toY] = [Math.floor((top * height) / rows), Math.floor(((top + 1) * height) / rows)];
    const sums = [0, 0, 0];
    for (let y = fromY; y < toY; y++)
      for (let x = fromX; x < toX; x++)
        for (let channel = 0; channel < 3; channel++)
          sums[channel] = (sums[channel] ?? 0) + (data[4 * (y * width + x) + channel] ?? 0);
    return sums.map((sum) => sum / ((toX - fromX) * (toY - fromY))) as unknown as Color;
  });
}
