/** The VP8 data of one RTP packet. */
export interface Vp8Payload {
  /** A view of the packet. */
  readonly data: Uint8Array;
  /** Whether it is the first packet of a frame. */
  readonly startsFrame: boolean;
}

/** What a key frame says about its picture, in pixels. */
export interface KeyFrameHeader {
  readonly width: number;
  readonly height: number;
}

/**
 * Reads the payload descriptor (RFC 7741, section 4.2): picture id, TL0PICIDX, TID and KEYIDX are optional, and not used here.
 * Returns `undefined` for a payload without data.
 */
export function parseVp8Payload(payload: Uint8Array): Vp8Payload | undefined {
  const first = payload[0] ?? 0;
  let length = 1;
  if (first & 0x80) {
    const fields = payload[1] ?? 0;
    const hasLongPictureId = ((payload[2] ?? 0) & 0x80) !== 0;
    length = 2;
    if (fields & 0x80) length += hasLongPictureId ? 2 : 1;
    if (fields & 0x40) length += 1;
    if (fields & 0x30) length += 1;
  }
  if (length >= payload.length) return undefined;
  // The bit S, and the number of the partition.
  return { data: payload.subarray(length), startsFrame: (first & 0x17) === 0x10 };
}

/** Whether the first bytes of a frame are those of a key frame (RFC 6386, section 9.1). */
export function startsKeyFrame(data: Uint8Array): boolean {
  return ((data[0] ?? 1) & 1) === 0;
}

const headerBytes = 10;

/** Reads the header of a key frame (RFC 6386, section 9.1). Returns `undefined` if no decoder would show the frame. */
export function parseKeyFrame(frame: Uint8Array): KeyFrameHeader | undefined {
  if (frame.length < headerBytes || !startsKeyFrame(frame)) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const tag = view.getUint16(0, true) | (view.getUint8(2) << 16);
  const version = (tag >> 1) & 7;
  const isShown = ((tag >> 4) & 1) === 1;
  const firstPartitionBytes = tag >> 5;
  const width = view.getUint16(6, true) & 0x3fff;
  const height = view.getUint16(8, true) & 0x3fff;
  const hasStartCode = view.getUint8(3) === 0x9d && view.getUint16(4, false) === 0x012a;
  if (!hasStartCode || version > 3 || !isShown || firstPartitionBytes > frame.length - headerBytes) return undefined;
  return width > 0 && height > 0 ? { width, height } : undefined;
}
