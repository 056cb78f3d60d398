import type { Transport } from "@pipecat-ai/client-js";
import { connectionOf } from "./connection-of.ts";
import type { Line } from "./line.ts";

/**
 * The sound of a call over WebRTC. The transport takes the microphone's track as a connection begins, and the page plays
 * the bot's. In between another microphone takes the first one's place here: a transport with a media manager of one's
 * own does not look at it again.
 */
export async function openPeerLine(transport: Transport): Promise<Line> {
  let closed = false;
  const sender = () => (closed ? undefined : connectionOf(transport)?.getTransceivers()[0]?.sender);
  return {
    async carry(microphone) {
      await sender()?.replaceTrack(microphone);
      // The transport stops the track of a connection that broke, when the next one already sends the same track.
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
