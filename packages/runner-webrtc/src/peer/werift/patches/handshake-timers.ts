import type { RTCDtlsTransport } from "werift";

/**
 * Internal member: `DtlsContext.flight`.
 *
 * werift retransmits a flight of the handshake up to 11 times over 33 s, until a later flight has begun. `stop()` does not end
 * this: without this patch, timers of a closed peer keep running and its handshake later rejects. A client that is closed within
 * 100 ms even begins its first flight afterwards. Call it before `stop()`.
 *
 * Upstream issue: "RTCDtlsTransport.stop() does not cancel handshake retransmission".
 */
export function stopRetransmission({ dtls }: Pick<RTCDtlsTransport, "dtls">): void {
  if (dtls === undefined) return;
  const last = { get: () => Number.POSITIVE_INFINITY, set: () => undefined };
  Object.defineProperty(dtls.dtls, "flight", last);
}
