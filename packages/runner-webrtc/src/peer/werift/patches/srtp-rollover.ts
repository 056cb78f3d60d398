import type { RTCDtlsTransport } from "werift";

/** Half the range of a 16-bit sequence number: a larger step goes the other way round. */
const half = 2 ** 15;

/**
 * Internal member: `Context.updateRolloverCount` of werift's SRTP.
 *
 * Replaces it with the rule of RFC 3711, section 3.3.1. Without this patch, werift misses a rollover when the 100 packets on
 * either side of it are lost (2 s of audio), and every later packet of the caller fails authentication. Call it once DTLS is
 * connected.
 *
 * Upstream issue: "SRTP: rollover counter is wrong after packet loss around sequence number 0".
 */
export function countRollovers({ srtp }: Pick<RTCDtlsTransport, "srtp">): void {
  // werift passes a copy of the source's state, and keeps the copy once the packet is authenticated.
  srtp.remoteContext.updateRolloverCount = (sequenceNumber, state) => {
    const step = sequenceNumber - state.lastSequenceNumber;
    if (state.rolloverHasProcessed === true && step < -half) state.rolloverCounter += 1;
    if (state.rolloverHasProcessed === true && step > half && state.rolloverCounter > 0) state.rolloverCounter -= 1;
    state.rolloverHasProcessed = true;
    state.lastSequenceNumber = sequenceNumber;
  };
}
