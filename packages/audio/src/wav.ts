import type { AudioFrame } from "./frame.ts";
import { decodePcm16, encodePcm16 } from "./pcm.ts";
import { requireInteger } from "./range.ts";

// RIFF/WAVE as Microsoft's "Multiple Channel Audio Data and WAVE Files" describes it: chunks of a 4-letter name, a length
// in bytes, and as many bytes, padded to an even count.

const headerBytes = 44;
const formatPcm = 1;
const formatExtensible = 0xfffe; // the true format stands 24 bytes into the chunk
const formatNames: Readonly<Record<number, string>> = {
  3: "IEEE float",
  6: "A-law",
  7: "mu-law",
  17: "IMA ADPCM",
  85: "MP3",
};

/** A WAV file, 16-bit PCM, of the frame. Throws RangeError when a field of the frame does not fit one. */
export function encodeWav(frame: AudioFrame): Uint8Array<ArrayBuffer> {
  const { samples, sampleRate, channels } = frame;
  requireInteger("channels", channels, 1, 0xffff);
  requireInteger("sampleRate", sampleRate, 1, 0xffff_ffff);
  requireInteger("samples.length", samples.length, 0, 0x7fff_ff00);
  const dataBytes = samples.length * 2;
  const file = new Uint8Array(headerBytes + dataBytes);
  const view = new DataView(file.buffer);
  writeName(view, 0, "RIFF");
  view.setUint32(4, file.length - 8, true);
  writeName(view, 8, "WAVE");
  writeName(view, 12, "fmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, formatPcm, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * channels * 2, true); // bytes a second
  view.setUint16(32, channels * 2, true); // bytes a sample of all channels
  view.setUint16(34, 16, true);
  writeName(view, 36, "data");
  view.setUint32(40, dataBytes, true);
  file.set(encodePcm16(samples), headerBytes);
  return file;
}

/**
 * The sound of a WAV file of 16-bit PCM. Chunks other than the format and the first data are skipped; a data chunk cut
 * short, or of a length its writer never filled in (a pipe's 0xFFFFFFFF), gives what is there.
 *
 * Throws an Error that says what is wrong: not a WAV file, another format (named), no data.
 */
export function parseWav(file: Uint8Array): AudioFrame {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < 12 || readName(view, 0) !== "RIFF" || readName(view, 8) !== "WAVE") {
    throw new Error("Not a WAV file: it does not begin with RIFF and WAVE.");
  }
  let format: { readonly sampleRate: number; readonly channels: number } | undefined;
  for (let offset = 12; offset + 8 <= file.length; ) {
    const name = readName(view, offset);
    const length = view.getUint32(offset + 4, true);
    const begin = offset + 8;
    const end = Math.min(begin + length, file.length);
    if (name === "fmt ") format = parseFormat(view, begin, end);
    if (name === "data") {
      if (!format) throw new Error("The WAV file has data before its format.");
      const whole = 2 * format.channels;
      const bytes = file.subarray(begin, end - ((end - begin) % whole));
      return { samples: decodePcm16(bytes), ...format };
    }
    offset = begin + length + (length % 2);
  }
  throw new Error("The WAV file has no data.");
}

function parseFormat(view: DataView, begin: number, end: number): { sampleRate: number; channels: number } {
  if (end - begin < 16) throw new Error(`The WAV file's format has ${end - begin} bytes; it must have at least 16.`);
  const tag = view.getUint16(begin, true);
  const format = tag === formatExtensible && end - begin >= 26 ? view.getUint16(begin + 24, true) : tag;
  const channels = view.getUint16(begin + 2, true);
  const sampleRate = view.getUint32(begin + 4, true);
  const bits = view.getUint16(begin + 14, true);
  if (format !== formatPcm || bits !== 16) {
    const name = format === formatPcm ? "PCM" : `${formatNames[format] ?? "unknown"} (format ${format})`;
    throw new Error(`The WAV file is ${name} of ${bits} bits; it must be PCM of 16 bits.`);
  }
  requireInteger("The WAV file's number of channels", channels, 1, 0xffff);
  requireInteger("The WAV file's sample rate", sampleRate, 1, 0xffff_ffff);
  return { sampleRate, channels };
}

function readName(view: DataView, offset: number): string {
  return String.fromCharCode(...[0, 1, 2, 3].map((index) => view.getUint8(offset + index)));
}

function writeName(view: DataView, offset: number, name: string): void {
  for (let index = 0; index < 4; index++) view.setUint8(offset + index, name.charCodeAt(index));
}
