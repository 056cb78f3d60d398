import type { RTCDtlsTransport } from "werift";

/**
 * Has the engine's SRTP tell by the standard's rule how often a caller's numbers have come round (RFC 3711, section 3.3.1). Its
 * own one misses a turn where the hundred packets on either side of it got lost, two seconds, and takes nothing of the
 * caller's from then on.
 */
export function countRollovers({ srtp }: Pick<RTCDtlsTransport, "srtp">): void {
  const context = srtp.remoteContext as unknown as ContextInside;
  context.updateRolloverCount = (sequenceNumber, state) => {
    const ahead = sequenceNumber - state.lastSequenceNumber;
    if (state.rolloverHasProcessed === true && ahead < -half) state.rolloverCounter += 1;
    if (state.rolloverHasProcessed === true && ahead > half && state.rolloverCounter > 0) state.rolloverCounter -= 1;
    state.rolloverHasProcessed = true;
    state.lastSequenceNumber = sequenceNumber;
  };
}

/** Of the two ways round from one 16-bit number to another, the shorter one is believed. */
const half = 2 ** 15;

/** The engine's parts that its types hide, as of 0.25.2. */
interface ContextInside {
  /** Called with a copy of what is known of the source, which replaces that when the packet is the caller's. */
  updateRolloverCount(sequenceNumber: number, state: SourceState): void;
}
interface SourceState {
  rolloverCounter: number;
  lastSequenceNumber: number;
  rolloverHasProcessed?: boolean;
}
