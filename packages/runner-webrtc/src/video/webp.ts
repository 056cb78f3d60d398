/** The RIFF header, the name of the format, and the header of its one chunk. */
const headerBytes = 20;

/**
 * Wraps a VP8 key frame in a WebP file, which contains it unchanged: the simple file format (lossy) of
 * https://developers.google.com/speed/webp/docs/riff_container.
 */
export function wrapInWebp(keyFrame: Uint8Array): Uint8Array {
  const chunkBytes = keyFrame.length + (keyFrame.length % 2);
  const file = new Uint8Array(headerBytes + chunkBytes);
  const view = new DataView(file.buffer);
  view.setUint32(0, 0x52494646); // RIFF
  view.setUint32(4, headerBytes - 8 + chunkBytes, true);
  view.setUint32(8, 0x57454250); // WEBP
  view.setUint32(12, 0x56503820); // "VP8 "
  view.setUint32(16, keyFrame.length, true);
  file.set(keyFrame, headerBytes);
  return file;
}
