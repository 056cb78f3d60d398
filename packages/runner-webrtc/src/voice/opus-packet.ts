/** What an Opus packet says of itself without being decoded. Durations in samples at 48,000 Hz: 48 are 1 ms. */
export interface OpusPacketShape {
  /** 120 to 5,760 (2.5 to 120 ms). */
  readonly duration: number;
  /** That of one of its frames; all are equally long. */
  readonly frameDuration: number;
  /** Whether it holds a copy of the frame before it. */
  readonly hasCopy: boolean;
}

const maxDuration = 5_760;

/**
 * Reads the packet's first bytes (RFC 6716, sections 3.1 and 3.2): `undefined` when they cannot be a packet's. That they
 * can does not mean that the rest is one.
 */
export function recogniseOpusPacket(packet: Uint8Array): OpusPacketShape | undefined {
  const [contents, second] = packet;
  if (contents === undefined) return undefined;
  const configuration = contents >> 3;
  const frameDuration = durationOf(configuration);
  const frames = frameCount(contents & 3, second);
  if (frames === undefined || frames * frameDuration > maxDuration) return undefined;
  return {
    duration: frames * frameDuration,
    frameDuration,
    hasCopy: configuration < 16 && (contents & 3) === 0 && copyFlag(frameDuration, second),
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
 * RFC 6716, section 4.2.3: a SILK layer begins with a bit for each 20 ms of voice activity, then one for whether copies
 * follow. They are range coded at even odds, and so stand in the first byte as they are. Read for mono packets of one frame.
 */
function copyFlag(frameDuration: number, first: number | undefined): boolean {
  const voiceBits = Math.max(1, frameDuration / 960);
  return ((first ?? 0) & (128 >> voiceBits)) !== 0;
}
