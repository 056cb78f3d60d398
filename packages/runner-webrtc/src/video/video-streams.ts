import { createRateLimit, type VideoSource } from "@pipecat-ts/runner-core";
import type { OfferedVideo } from "../peer/offer.ts";

/** Finds out which RTP packets of a transport are the caller's video, and from which source. */
export interface VideoStreams {
  /** Takes the sections that the last answer accepted. */
  accept(sections: readonly OfferedVideo[]): void;
  /** Whether every packet of the video is wanted. Otherwise, as at first, almost all of them are skipped. */
  want(every: boolean): void;
  /**
   * What to do with an RTP packet whose header is valid, before it is decrypted: `skip` it, or `take` it. `undefined` if it is
   * not video.
   */
  sort(packet: Buffer): "take" | "skip" | undefined;
  /** The source of a decrypted packet. `mid` is the value of its header extension. */
  sourceOf(packet: StreamHeader): VideoSource | undefined;
  /** The RTP source of a section. `undefined` until it was announced or a packet arrived. */
  ssrcOf(source: VideoSource): number | undefined;
}

export interface StreamHeader {
  readonly payloadType: number;
  readonly ssrc: number;
  readonly extensions: readonly { readonly id: number; readonly payload: Uint8Array }[];
}

/**
 * Video has a rate of its own, so that it leaves audio its share. Camera and screen at the bitrates of the answer take 400
 * packets per second.
 */
const videoRate = { perSecond: 1_000, burst: 2_000 };

/**
 * While no picture is wanted, one packet in 32 is decrypted: SRTP needs one in 32,768 to count the rollovers of sequence numbers
 * (RFC 3711, section 3.3.1).
 */
const sampleEvery = 32;

export function createVideoStreams(now?: () => number): VideoStreams {
  const rate = createRateLimit(videoRate, now);
  const ssrcs = new Map<VideoSource, number>();
  let accepted: readonly OfferedVideo[] = [];
  let wanted = false;

  function sectionOf({ payloadType, ssrc, extensions }: StreamHeader): OfferedVideo | undefined {
    const fitting = accepted.filter((section) => section.vp8PayloadType === payloadType);
    const named = fitting.find(({ mid, midExtension }) => {
      const name = extensions.find(({ id }) => id === midExtension)?.payload;
      return name !== undefined && Buffer.from(name).toString("latin1") === mid;
    });
    if (named !== undefined) return named;
    return fitting.find(({ source }) => ssrcs.get(source) === ssrc) ?? (fitting.length === 1 ? fitting[0] : undefined);
  }

  return {
    accept(sections) {
      accepted = sections;
      for (const { source, ssrc } of sections) if (ssrc !== undefined) ssrcs.set(source, ssrc);
    },
    want(every) {
      wanted = every;
    },
    sort(packet) {
      const payloadType = packet.readUInt8(1) & 0x7f;
      if (!accepted.some(({ vp8PayloadType }) => vp8PayloadType === payloadType)) return undefined;
      if (!wanted && packet.readUInt16BE(2) % sampleEvery !== 0) return "skip";
      return rate.take() ? "take" : "skip";
    },
    sourceOf(header) {
      const section = sectionOf(header);
      if (section !== undefined) ssrcs.set(section.source, header.ssrc);
      return section?.source;
    },
    ssrcOf: (source) => ssrcs.get(source),
  };
}
