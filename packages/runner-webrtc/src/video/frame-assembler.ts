import type { VideoPacket } from "../peer/peer.ts";
import { parseVp8Payload, startsKeyFrame } from "./vp8.ts";

/** Joins the RTP packets of VP8 key frames. Skips all other frames. */
export interface FrameAssembler {
  /** Takes a packet as it arrives: packets may be lost, reordered or repeated. Returns a key frame once it is complete. */
  push(packet: VideoPacket): Uint8Array | undefined;
  /** Whether a key frame has begun and is not complete yet. */
  readonly receiving: boolean;
  /** The bytes held. */
  readonly bytes: number;
  /** Drops what is held. */
  clear(): void;
}

/** The maximum of bytes and packets that are held. A key frame of a 4K screen has fewer than 1 MiB. */
const maxBytes = 2 * 1024 * 1024;
const maxPackets = 4_096;

/** The number of frames whose packets may arrive mixed with each other. */
const maxFrames = 4;

interface Frame {
  readonly parts: Map<number, Uint8Array>;
  /** Sequence numbers. */
  first: number | undefined;
  last: number | undefined;
  /** Whether it is not a key frame, or cannot become complete. */
  skipped: boolean;
}

export function createFrameAssembler(): FrameAssembler {
  /** By RTP timestamp, the oldest first. */
  const frames = new Map<number, Frame>();
  let bytes = 0;
  let packets = 0;

  function open(timestamp: number): Frame {
    const [oldest] = frames.keys();
    if (frames.size >= maxFrames && oldest !== undefined) {
      release(frames.get(oldest));
      frames.delete(oldest);
    }
    const frame: Frame = { parts: new Map(), first: undefined, last: undefined, skipped: false };
    frames.set(timestamp, frame);
    return frame;
  }

  function release(frame: Frame | undefined): void {
    if (frame === undefined) return;
    for (const { length } of frame.parts.values()) bytes -= length;
    packets -= frame.parts.size;
    frame.parts.clear();
    frame.skipped = true;
  }

  function clear(): void {
    frames.clear();
    bytes = 0;
    packets = 0;
  }

  function completed(frame: Frame): Uint8Array | undefined {
    const { first, last, parts } = frame;
    if (first === undefined || last === undefined) return undefined;
    const count = ((last - first) & 0xffff) + 1;
    if (parts.size < count) return undefined;
    const ordered = Array.from({ length: count }, (_, index) => parts.get((first + index) & 0xffff));
    const complete = ordered.filter((part) => part !== undefined);
    if (complete.length === count) return Buffer.concat(complete);
    // It has packets from outside its own range.
    release(frame);
    return undefined;
  }

  return {
    push({ payload, sequenceNumber, timestamp, marker }) {
      const received = parseVp8Payload(payload);
      if (received === undefined) return undefined;
      if (packets >= maxPackets || bytes + received.data.length > maxBytes) clear();
      const frame = frames.get(timestamp) ?? open(timestamp);
      if (frame.skipped || frame.parts.has(sequenceNumber)) return undefined;
      if (received.startsFrame && !startsKeyFrame(received.data)) {
        release(frame);
        return undefined;
      }
      if (received.startsFrame) frame.first = sequenceNumber;
      if (marker) frame.last = sequenceNumber;
      // A copy, because the packet is a view of a datagram that may be much larger.
      frame.parts.set(sequenceNumber, received.data.slice());
      bytes += received.data.length;
      packets += 1;
      const keyFrame = completed(frame);
      if (keyFrame !== undefined) clear();
      return keyFrame;
    },
    get receiving() {
      return [...frames.values()].some(({ first }) => first !== undefined);
    },
    get bytes() {
      return bytes;
    },
    clear,
  };
}
