import { WavMediaManager } from "@pipecat-ai/small-webrtc-transport";
import { startRequest } from "../start-request.ts";
import type { Console } from "./console.ts";

export const webrtcConsole: Console = {
  label: "WebRTC",
  connectParams: (reply) => reply,
  open: () => ({
    transportType: "smallwebrtc",
    transportOptions: { waitForICEGathering: true, mediaManager: new WavMediaManager() },
    startBotParams: startRequest("webrtc", { createDailyRoom: false, enableDefaultIceServers: true }),
  }),
};
