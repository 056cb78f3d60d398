/** The properties of an Opus packet that can be read without decoding it. Durations in samples at 48,000 Hz: 48 are 1 ms. */
export interface OpusPacketInfo {
  /** 120 to 5,760 (2.5 to 120 ms). */
  readonly duration: number;
  /** Duration of one of its frames, which are equally long. */
  readonly frameDuration: number;
  /** Whether it contains in-band FEC: a copy of the frame before it. */
  readonly hasFec: boolean;
}

const maxDuration = 5_760;

/**
 * Parses the first bytes of a packet (RFC 6716, sections 3.1 and 3.2). Returns `undefined` when no Opus packet starts with
 * them. The rest of the packet may still be invalid.
 */
export function parseOpusPacket(packet: Uint8Array): OpusPacketInfo | undefined {
  const [toc, second] = packet;
  if (toc === undefined) return undefined;
  const configuration = toc >> 3;
  const frameDuration = durationOf(configuration);
  const frames = frameCount(toc & 3, second);
  if (frames === undefined || frames * frameDuration > maxDuration) return undefined;
  return {
    duration: frames * frameDuration,
    frameDuration,
    hasFec: configuration < 16 && (toc & 3) === 0 && fecFlag(frameDuration, second),
  };
}

/** RFC 6716, table 2. */
function durationOf(configuration: number): number {
  if (configuration < 12) return [480, 960, 1_920, 2_880][configuration & 3] as number;
  if (configuration < 16) return [480, 960][configuration & 1] as number;
  return [120, 240, 480, 960][configuration & 3] as number;
}

function frameCount(code: number, second: number | undefined): number | undefined {
  if (code === 0) return 1;
  if (code < 3) return 2;
  const count = (second ?? 0) & 63;
  return count === 0 ? undefined : count;
}

/**
 * RFC 6716, section 4.2.3: a SILK layer begins with one voice activity bit per 20 ms, followed by the FEC flag. They are range
 * coded with even odds and therefore appear unchanged in the first byte. Correct for mono packets of one frame.
 */
function fecFlag(frameDuration: number, firstByte: number | undefined): boolean {
  const voiceBits = Math.max(1, frameDuration / 960);
  return ((firstByte ?? 0) & (128 >> voiceBits)) !== 0;
}
