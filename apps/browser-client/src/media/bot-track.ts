import { type PipecatClient, RTVIEvent } from "@pipecat-ai/client-js";
import { connectionOf } from "./connection-of.ts";

/**
 * Lets the bot be heard again where a new WebRTC connection replaced one that broke: the transport closes the old one last,
 * and as the old track ends it forgets that there is a new one.
 */
export function followBotTrack(client: PipecatClient): void {
  client.on(RTVIEvent.TrackStopped, (stopped, participant) => {
    if (participant?.local) return;
    const current = connectionOf(client.transport)?.getTransceivers()[0]?.receiver.track;
    if (current && current !== stopped && current.readyState === "live") client.emit(RTVIEvent.TrackStarted, current);
  });
}
