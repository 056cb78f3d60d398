import { apiKeyHeaders } from "../api-key.ts";
import { followBotTrack } from "../media/bot-track.ts";
import { CallMedia } from "../media/call-media.ts";
import { openPeerLine } from "../media/peer-line.ts";
import { peerTimedOut } from "../messages.ts";
import { runnerUrl, startRequest } from "../start-request.ts";
import type { Console } from "./console.ts";

export const webrtcConsole: Console = {
  label: "WebRTC",
  connectParams(reply) {
    const { sessionId, iceConfig } = Object(reply) as { readonly sessionId?: unknown; readonly iceConfig?: unknown };
    if (typeof sessionId !== "string") throw new Error("The runner's answer has no sessionId.");
    // Told where to send the offer, the client need not guess it from the address of /start. It cannot bear an iceConfig that is null.
    const webrtcRequestParams = { endpoint: runnerUrl(`sessions/${sessionId}/api/offer`), headers: apiKeyHeaders() };
    return iceConfig ? { sessionId, webrtcRequestParams, iceConfig } : { sessionId, webrtcRequestParams };
  },
  timedOut: peerTimedOut,
  onClient: followBotTrack,
  open() {
    const media = new CallMedia(openPeerLine);
    return {
      media,
      template: {
        transportType: "smallwebrtc",
        transportOptions: { mediaManager: media },
        startBotParams: startRequest("webrtc"),
      },
    };
  },
};
