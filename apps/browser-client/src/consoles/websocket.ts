import { CallMedia } from "../media/call-media.ts";
import { startRequest } from "../start-request.ts";
import type { Console } from "./console.ts";

export const websocketConsole: Console = {
  label: "WebSocket",
  connectParams(reply) {
    const { wsUrl, token } = Object(reply) as { readonly wsUrl?: unknown; readonly token?: unknown };
    if (typeof wsUrl !== "string") throw new Error("The runner's answer has no wsUrl.");
    // The client refuses every other key, and a token that is null.
    return typeof token === "string" ? { wsUrl, token } : { wsUrl };
  },
  open: () => ({
    transportType: "websocket",
    transportOptions: { mediaManager: new CallMedia(), recorderSampleRate: 16_000 },
    startBotParams: startRequest("websocket"),
    noAudioOutput: true, // CallMedia plays the bot itself
    noSessionInfo: true, // the template knows neither this transport's name nor its session's
  }),
};
