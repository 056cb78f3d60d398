/**
 * 16-bit PCM as bytes, little-endian, as WAV files and most wires carry it. Copies, so that `bytes` may start anywhere in
 * its buffer (Node's Buffers do) and both sides own their memory.
 */

/** The bytes of samples, two for each. */
export function encodePcm16(samples: Int16Array): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(samples.length * 2));
  for (let index = 0; index < samples.length; index++) view.setInt16(index * 2, samples[index] as number, true);
  return new Uint8Array(view.buffer);
}

/**
 * The samples of bytes, one for every two. A last odd byte is left out: who cuts a stream anywhere keeps that byte and
 * puts it before the next ones, or all that follows is noise.
 */
export function decodePcm16(bytes: Uint8Array): Int16Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const samples = new Int16Array(bytes.byteLength >> 1);
  for (let index = 0; index < samples.length; index++) samples[index] = view.getInt16(index * 2, true);
  return samples;
}
