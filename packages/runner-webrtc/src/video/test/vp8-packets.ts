import type { VideoPacket } from "../../peer/peer.ts";

/** For tests: bytes like those of a VP8 key frame, with a valid header. */
export function keyFrame(width: number, height: number, length = 3_000): Uint8Array {
  const frame = Uint8Array.from({ length }, (_, index) => (index * 7) & 0xff);
  const firstPartitionBytes = Math.min(100, length - 10);
  const tag = (firstPartitionBytes << 5) | 0x10;
  frame.set([tag & 0xff, (tag >> 8) & 0xff, tag >> 16, 0x9d, 0x01, 0x2a]);
  frame.set([width & 0xff, width >> 8, height & 0xff, height >> 8], 6);
  return frame;
}

/** For tests: bytes like those of any other VP8 frame. */
export function deltaFrame(length = 3_000): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index === 0 ? 0x11 : index & 0xff));
}

export interface PacketOptions {
  readonly sequenceNumber?: number;
  readonly timestamp?: number;
  readonly source?: VideoPacket["source"];
  /** The bytes of the frame in each packet. Default 1,000. */
  readonly size?: number;
  /** The descriptor's bytes after the first one. */
  readonly descriptor?: readonly number[];
}

/** For tests: the RTP packets of a frame. */
export function packetize(frame: Uint8Array, options: PacketOptions = {}): VideoPacket[] {
  const { sequenceNumber = 100, timestamp = 9_000, source = "camera", size = 1_000, descriptor = [] } = options;
  const count = Math.ceil(frame.length / size);
  return Array.from({ length: count }, (_, index) => {
    const first = (descriptor.length > 0 ? 0x80 : 0) | (index === 0 ? 0x10 : 0);
    return {
      source,
      payload: Uint8Array.of(first, ...descriptor, ...frame.subarray(index * size, (index + 1) * size)),
      sequenceNumber: (sequenceNumber + index) & 0xffff,
      timestamp,
      marker: index === count - 1,
    };
  });
}
