import type { RTCDtlsTransport } from "werift";

/** More records than a handshake has. */
const handshakeRecords = 1_000;

/**
 * Internal member: `DtlsContext.recordSequenceNumber`.
 *
 * werift numbers application data from 1, although its Finished message already used a later number in the same epoch. Without
 * this patch, a later record repeats that number: it is encrypted with the same nonce, and the caller drops it as a replay
 * (RFC 6347, section 4.1.2.6). Call it once DTLS is connected.
 *
 * Upstream issue: "DTLS record sequence numbers (and AES-GCM nonces) repeat after Finished".
 */
export function skipUsedRecordNumbers({ dtls }: Pick<RTCDtlsTransport, "dtls">): void {
  if (dtls !== undefined) dtls.dtls.recordSequenceNumber += handshakeRecords;
}
