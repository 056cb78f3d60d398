import { CallMedia } from "../media/call-media.ts";
import { openSocketLine, recorderSampleRate } from "../media/socket-line.ts";
import { socketTimedOut } from "../messages.ts";
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
  timedOut: socketTimedOut,
  open() {
    const media = new CallMedia(openSocketLine);
    return {
      media,
      template: {
        transportType: "websocket",
        transportOptions: { mediaManager: media, recorderSampleRate },
        startBotParams: startRequest("websocket"),
        noAudioOutput: true, // the line plays the bot itself
        noSessionInfo: true, // the template knows neither this transport's name nor its session's
      },
    };
  },
};
