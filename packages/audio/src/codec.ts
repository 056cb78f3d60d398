/** Encodes samples as 16-bit little-endian PCM, 2 bytes per sample. WAV files and most wire formats use it. */
export function encodePcm16(samples: Int16Array): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(samples.length * 2));
  for (let index = 0; index < samples.length; index++) view.setInt16(index * 2, samples[index] as number, true);
  return new Uint8Array(view.buffer);
}

/**
 * Decodes 16-bit little-endian PCM. Copies, so `bytes` may start at any offset of its buffer (Node's Buffers do). Ignores an
 * odd last byte: if you split a stream at arbitrary bytes, prepend that byte to the next piece, or the rest is noise.
 */
export function decodePcm16(bytes: Uint8Array): Int16Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const samples = new Int16Array(bytes.byteLength >> 1);
  for (let index = 0; index < samples.length; index++) samples[index] = view.getInt16(index * 2, true);
  return samples;
}

// G.711 is the codec of the telephone network: 1 byte per 16-bit sample, usually at 8,000 Hz. North America and Japan use
// mu-law (PCMU in RTP), other countries A-law (PCMA). The arithmetic follows the CCITT reference code by Sun, so the bytes
// equal those of Python's `audioop`. Lookup tables would hold 130 KB and are not faster: 20 ms take about 1 µs.

/** The mu-law byte of the sample 0. */
export const mulawSilence = 0xff;

/** The A-law byte of the sample 0. */
export const alawSilence = 0xd5;

/** Encodes samples as mu-law, 1 byte per sample. */
export function encodeMulaw(samples: Int16Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(samples.length);
  for (let index = 0; index < bytes.length; index++) bytes[index] = mulawByte(samples[index] as number);
  return bytes;
}

/** Decodes mu-law, 1 sample per byte. Every byte is valid. */
export function decodeMulaw(bytes: Uint8Array): Int16Array<ArrayBuffer> {
  const samples = new Int16Array(bytes.length);
  for (let index = 0; index < samples.length; index++) samples[index] = mulawSample(bytes[index] as number);
  return samples;
}

/** Encodes samples as A-law, 1 byte per sample. */
export function encodeAlaw(samples: Int16Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(samples.length);
  for (let index = 0; index < bytes.length; index++) bytes[index] = alawByte(samples[index] as number);
  return bytes;
}

/** Decodes A-law, 1 sample per byte. Every byte is valid. */
export function decodeAlaw(bytes: Uint8Array): Int16Array<ArrayBuffer> {
  const samples = new Int16Array(bytes.length);
  for (let index = 0; index < samples.length; index++) samples[index] = alawSample(bytes[index] as number);
  return samples;
}

// A byte has a sign bit, a 3-bit segment (the position of the magnitude's highest set bit) and the 4 bits below that bit. On
// the wire, mu-law inverts all bits and A-law every second bit.

const mulawBias = 33;
const mulawLargest = 8158; // plus the bias: the end of the last segment

function mulawByte(sample: number): number {
  const scaled = sample >> 2;
  const magnitude = Math.min(Math.abs(scaled), mulawLargest) + mulawBias;
  const segment = 26 - Math.clz32(magnitude);
  const code = (segment << 4) | ((magnitude >> (segment + 1)) & 0x0f);
  return code ^ (scaled < 0 ? 0x7f : 0xff);
}

function mulawSample(byte: number): number {
  const code = ~byte;
  const magnitude = ((((code & 0x0f) << 1) + mulawBias) << ((code >> 4) & 7)) - mulawBias;
  return (code & 0x80) === 0 ? magnitude << 2 : -(magnitude << 2);
}

function alawByte(sample: number): number {
  const scaled = sample >> 3;
  const magnitude = scaled < 0 ? -scaled - 1 : scaled;
  const segment = Math.max(0, 27 - Math.clz32(magnitude));
  const code = (segment << 4) | ((magnitude >> Math.max(1, segment)) & 0x0f);
  return code ^ (scaled < 0 ? 0x55 : 0xd5);
}

function alawSample(byte: number): number {
  const code = byte ^ 0x55;
  const segment = (code >> 4) & 7;
  const fraction = ((code & 0x0f) << 4) + 8; // the middle of the quantization step
  const magnitude = segment === 0 ? fraction : (fraction + 0x100) << (segment - 1);
  return (code & 0x80) === 0 ? -magnitude : magnitude;
}
