import type { Transport } from "@pipecat-ai/client-js";

/** The connection of Pipecat's WebRTC transport, which is none of its public members; its first transceiver is the voice's. */
export function connectionOf(transport: Transport): RTCPeerConnection | undefined {
  return (transport as Transport & { readonly pc?: RTCPeerConnection | null }).pc ?? undefined;
}
