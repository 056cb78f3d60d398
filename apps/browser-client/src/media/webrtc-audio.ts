import { type PipecatClient, RTVIEvent, type Transport } from "@pipecat-ai/client-js";
import type { CallAudio } from "./call-media.ts";

/**
 * The audio of a WebRTC call. The transport sends the microphone's track when a connection starts, and the page plays the
 * bot's track. The transport does not notice later microphone changes if it has a custom media manager, so `attach`
 * replaces the track itself.
 */
export async function openWebRTCAudio(transport: Transport): Promise<CallAudio> {
  let closed = false;
  const sender = () => (closed ? undefined : connectionOf(transport)?.getTransceivers()[0]?.sender);
  return {
    async attach(microphone) {
      await sender()?.replaceTrack(microphone);
      // When the transport replaces a failed connection, it stops the track, which the new connection already sends.
      microphone.stop = () => undefined;
      return async () => {
        Reflect.deleteProperty(microphone, "stop");
        if (sender()?.track === microphone) await sender()?.replaceTrack(null);
      };
    },
    play: () => undefined,
    clear: () => undefined,
    async close() {
      closed = true;
    },
  };
}

/**
 * Restores the bot's audio after a new connection has replaced a failed one. The transport closes the old connection last.
 * When the old track ends, the transport forgets the new one.
 */
export function followBotTrack(client: PipecatClient): void {
  client.on(RTVIEvent.TrackStopped, (stopped, participant) => {
    if (participant?.local) return;
    const current = connectionOf(client.transport)?.getTransceivers()[0]?.receiver.track;
    if (current && current !== stopped && current.readyState === "live") client.emit(RTVIEvent.TrackStarted, current);
  });
}

/** The connection of Pipecat's WebRTC transport, which is a private member. Its first transceiver is the audio. */
export function connectionOf(transport: Transport): RTCPeerConnection | undefined {
  return (transport as Transport & { readonly pc?: RTCPeerConnection | null }).pc ?? undefined;
}
