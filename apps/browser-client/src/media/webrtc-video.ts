import { type PipecatClient, RTVIEvent, type Transport } from "@pipecat-ai/client-js";
import type { VideoSource } from "./local-video.ts";
import { connectionOf } from "./webrtc-audio.ts";

/** The transceivers of Pipecat's WebRTC transport, after the one of the audio. */
const transceiverOf: Readonly<Record<VideoSource, number>> = { camera: 1, screen: 2 };

/** Which sources the bot of the current call accepts. */
export type AcceptedVideo = Readonly<Record<VideoSource, boolean>>;

/** Sends `track` until the returned function is called. When the transport replaces its connection, it sends the track itself. */
export async function attachWebRTCVideo(
  transport: Transport,
  source: VideoSource,
  track: MediaStreamTrack,
): Promise<() => Promise<void>> {
  const sender = () => connectionOf(transport)?.getTransceivers()[transceiverOf[source]]?.sender;
  await sender()?.replaceTrack(track);
  // When the transport replaces a failed connection, it stops the track, which the new connection already sends.
  track.stop = () => undefined;
  return async () => {
    Reflect.deleteProperty(track, "stop");
    if (sender()?.track === track) await sender()?.replaceTrack(null);
  };
}

/**
 * Reports what the bot accepts, whenever it may have changed. The answer to the last offer says so: the client library does not
 * read the capabilities in the bot's `bot-ready` message.
 */
export function followAcceptedVideo(client: PipecatClient, onChange: (accepted: AcceptedVideo) => void): void {
  const report = () => {
    const connection = connectionOf(client.transport);
    connection?.addEventListener("signalingstatechange", report);
    const transceivers = client.state === "ready" ? connection?.getTransceivers() : undefined;
    const accepts = (source: VideoSource) =>
      /^send/.test(transceivers?.[transceiverOf[source]]?.currentDirection ?? "inactive");
    onChange({ camera: accepts("camera"), screen: accepts("screen") });
  };
  client.on(RTVIEvent.TransportStateChanged, report);
  // A new connection has replaced a failed one.
  client.on(RTVIEvent.TrackStarted, report);
}
