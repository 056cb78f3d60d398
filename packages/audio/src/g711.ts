/**
 * G.711, the codec of the telephone network: 16-bit samples as one byte each, by rule at 8,000 Hz. Mu-law (RTP's PCMU)
 * in North America and Japan, A-law (PCMA) elsewhere.
 *
 * The arithmetic is that of the CCITT reference code by Sun, so the bytes equal those of Python's `audioop`. It is
 * computed, not looked up: a frame of 20 ms costs about a microsecond either way, and tables would hold 130 KB.
 */

/** The mu-law byte of the sample 0. */
export const mulawSilence = 0xff;

/** The A-law byte of the sample 0. */
export const alawSilence = 0xd5;

/** The mu-law bytes of samples, one for each. */
export function encodeMulaw(samples: Int16Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(samples.length);
  for (let index = 0; index < bytes.length; index++) bytes[index] = mulawByte(samples[index] as number);
  return bytes;
}

/** The samples of mu-law bytes, one for each. Every byte is valid. */
export function decodeMulaw(bytes: Uint8Array): Int16Array<ArrayBuffer> {
  const samples = new Int16Array(bytes.length);
  for (let index = 0; index < samples.length; index++) samples[index] = mulawSample(bytes[index] as number);
  return samples;
}

/** The A-law bytes of samples, one for each. */
export function encodeAlaw(samples: Int16Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(samples.length);
  for (let index = 0; index < bytes.length; index++) bytes[index] = alawByte(samples[index] as number);
  return bytes;
}

/** The samples of A-law bytes, one for each. Every byte is valid. */
export function decodeAlaw(bytes: Uint8Array): Int16Array<ArrayBuffer> {
  const samples = new Int16Array(bytes.length);
  for (let index = 0; index < samples.length; index++) samples[index] = alawSample(bytes[index] as number);
  return samples;
}

// A byte is a sign bit, a segment of 3 bits (the magnitude's highest set bit) and the 4 bits below that; on the wire
// mu-law inverts all of them, A-law every second one.

const mulawBias = 33;
const mulawLargest = 8158; // with the bias, the end of the last segment

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
  const fraction = ((code & 0x0f) << 4) + 8; // the middle of the step
  const magnitude = segment === 0 ? fraction : (fraction + 0x100) << (segment - 1);
  return (code & 0x80) === 0 ? -magnitude : magnitude;
}
