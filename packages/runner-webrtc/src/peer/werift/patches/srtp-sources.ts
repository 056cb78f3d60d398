import type { RTCDtlsTransport } from "werift";

/** The maximum number of RTP sources of a caller. A browser has one per track, and a new one when it changes its codec. */
export const sourceLimit = 64;

/**
 * Internal member: `Context.srtpSSRCStates` of werift's SRTP.
 *
 * Forgets the source that the caller has not used for longest when there are more than 64. Without this patch, a caller that
 * sends each packet from another source fills the memory with their states. Call it once DTLS is connected.
 *
 * Upstream issue: "SRTP: the states of sources are never removed".
 */
export function limitSources({ srtp }: Pick<RTCDtlsTransport, "srtp">): void {
  const states = srtp.remoteContext.srtpSSRCStates as Record<number, unknown>;
  const known = new Set<number>();
  const decrypt = srtp.decrypt.bind(srtp);
  srtp.decrypt = (data) => {
    // Throws for a packet that is not the caller's.
    const packet = decrypt(data);
    const source = packet.readUInt32BE(8);
    // The set is in the order of the last packets.
    known.delete(source);
    known.add(source);
    if (known.size <= sourceLimit) return packet;
    const [oldest] = known;
    if (oldest !== undefined) {
      known.delete(oldest);
      delete states[oldest];
    }
    return packet;
  };
}
