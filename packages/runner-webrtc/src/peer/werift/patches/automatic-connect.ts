import type { RTCPeerConnection } from "werift";

/**
 * Private member: `RTCPeerConnection.connect`.
 *
 * After every answer, werift starts ICE and DTLS on each transport that is not connected. The adapter starts them itself, with
 * the other patches in place. Without this patch both start DTLS, the second start throws "state must be new", and the call fails.
 *
 * Upstream issue: "Let an application start ICE and DTLS itself (ORTC) after setLocalDescription()".
 */
export function disableAutomaticConnect(connection: RTCPeerConnection): void {
  const internals = connection as unknown as PeerConnectionInternals;
  internals.connect = async () => undefined;
}

interface PeerConnectionInternals {
  connect(): Promise<void>;
}
