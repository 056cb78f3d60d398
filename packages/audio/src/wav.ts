import { decodePcm16, encodePcm16 } from "./codec.ts";
import { type AudioFrame, requireInteger } from "./frame.ts";

// RIFF/WAVE as in Microsoft's "Multiple Channel Audio Data and WAVE Files": each chunk has a 4-letter name, a length in bytes
// and the bytes, padded to an even number.

const headerBytes = 44;
/** The length field of the RIFF chunk counts 36 bytes of the header too. */
const maxDataBytes = 0xffff_ffff - 36;
const formatPcm = 1;
const formatFloat = 3;
const formatExtensible = 0xfffe; // the actual format is at byte 24 of the chunk
const formatNames: Readonly<Record<number, string>> = {
  3: "IEEE float",
  6: "A-law",
  7: "mu-law",
  17: "IMA ADPCM",
  85: "MP3",
};

/**
 * The first 44 bytes of a WAV file with 16-bit PCM, before `dataBytes` bytes of samples. For files that are written piece by
 * piece. Throws a RangeError if a field does not fit the format.
 */
export function wavHeader(
  format: Pick<AudioFrame, "sampleRate" | "channels">,
  dataBytes: number,
): Uint8Array<ArrayBuffer> {
  const { sampleRate, channels } = format;
  // The header also has the bytes of one sample of all channels, and the bytes per second.
  requireInteger("channels", channels, 1, 0x7fff);
  requireInteger("sampleRate", sampleRate, 1, Math.floor(0xffff_ffff / (2 * channels)));
  requireInteger("dataBytes", dataBytes, 0, maxDataBytes);
  const view = new DataView(new ArrayBuffer(headerBytes));
  writeName(view, 0, "RIFF");
  view.setUint32(4, headerBytes + dataBytes - 8, true);
  writeName(view, 8, "WAVE");
  writeName(view, 12, "fmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, formatPcm, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * channels * 2, true); // bytes per second
  view.setUint16(32, channels * 2, true); // bytes per sample of all channels
  view.setUint16(34, 16, true);
  writeName(view, 36, "data");
  view.setUint32(40, dataBytes, true);
  return new Uint8Array(view.buffer);
}

/** Encodes a frame as a WAV file with 16-bit PCM. Throws a RangeError if a field of the frame does not fit the format. */
export function encodeWav(frame: AudioFrame): Uint8Array<ArrayBuffer> {
  const dataBytes = frame.samples.length * 2;
  const file = new Uint8Array(headerBytes + dataBytes);
  file.set(wavHeader(frame, dataBytes));
  file.set(encodePcm16(frame.samples), headerBytes);
  return file;
}

/**
 * Decodes a WAV file to 16-bit samples, from PCM with 8, 16, 24 or 32 bits or from 32-bit float. Skips all chunks except the format and the first data chunk. A truncated data chunk, or
 * one with an unknown length (0xFFFFFFFF from a pipe), gives the samples that exist.
 *
 * Throws an Error with the reason if the file is not a WAV file, has another format or has no data.
 */
export function parseWav(file: Uint8Array): AudioFrame {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < 12 || readName(view, 0) !== "RIFF" || readName(view, 8) !== "WAVE") {
    throw new Error("Not a WAV file: the RIFF/WAVE header is missing.");
  }
  let format: WavFormat | undefined;
  for (let offset = 12; offset + 8 <= file.length; ) {
    const name = readName(view, offset);
    const length = view.getUint32(offset + 4, true);
    const begin = offset + 8;
    const end = Math.min(begin + length, file.length);
    if (name === "fmt ") format = parseFormat(view, begin, end);
    if (name === "data") {
      if (!format) throw new Error("Invalid WAV file: the data chunk precedes the format chunk.");
      const { sampleRate, channels, bits, isFloat } = format;
      const whole = (bits / 8) * channels;
      const bytes = file.subarray(begin, end - ((end - begin) % whole));
      return { samples: bits === 16 ? decodePcm16(bytes) : convertSamples(bytes, bits, isFloat), sampleRate, channels };
    }
    offset = begin + length + (length % 2);
  }
  throw new Error("Invalid WAV file: the data chunk is missing.");
}

interface WavFormat {
  readonly sampleRate: number;
  readonly channels: number;
  readonly bits: number;
  readonly isFloat: boolean;
}

function parseFormat(view: DataView, begin: number, end: number): WavFormat {
  if (end - begin < 16)
    throw new Error(`Invalid WAV file: the format chunk has ${end - begin} bytes instead of at least 16.`);
  const tag = view.getUint16(begin, true);
  const format = tag === formatExtensible && end - begin >= 26 ? view.getUint16(begin + 24, true) : tag;
  const channels = view.getUint16(begin + 2, true);
  const sampleRate = view.getUint32(begin + 4, true);
  const bits = view.getUint16(begin + 14, true);
  const isFloat = format === formatFloat && bits === 32;
  if (!isFloat && !(format === formatPcm && [8, 16, 24, 32].includes(bits))) {
    const name = format === formatPcm ? "PCM" : `${formatNames[format] ?? "unknown"} (format ${format})`;
    throw new Error(`The WAV file has ${bits}-bit ${name} audio. Convert it to 16-bit PCM.`);
  }
  requireInteger("Number of channels of the WAV file", channels, 1, 0xffff);
  requireInteger("Sample rate of the WAV file", sampleRate, 1, 0xffff_ffff);
  return { sampleRate, channels, bits, isFloat };
}

/** Converts samples to 16 bits. Integers lose the lower bits; float is clipped to full scale. Samples of 8 bits are unsigned. */
function convertSamples(bytes: Uint8Array, bits: number, isFloat: boolean): Int16Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = bits / 8;
  return Int16Array.from({ length: bytes.length / size }, (_, index) => {
    const at = index * size;
    if (isFloat) return Math.round(Math.max(-1, Math.min(1, view.getFloat32(at, true) || 0)) * 32_767);
    return bits === 8 ? (view.getUint8(at) - 128) << 8 : view.getInt16(at + size - 2, true);
  });
}

function readName(view: DataView, offset: number): string {
  return String.fromCharCode(...[0, 1, 2, 3].map((index) => view.getUint8(offset + index)));
}

function writeName(view: DataView, offset: number, name: string): void {
  for (let index = 0; index < 4; index++) view.setUint8(offset + index, name.charCodeAt(index));
}
