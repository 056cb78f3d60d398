import type { PipecatClient } from "@pipecat-ai/client-js";
import type { ConsoleTemplate } from "@pipecat-ai/voice-ui-kit";
import type { ComponentProps } from "react";
import { apiKeyHeaders, runnerUrl, startRequest } from "./api.ts";
import { CallMedia } from "./media/call-media.ts";
import { followBotTrack, openWebRTCAudio } from "./media/webrtc-audio.ts";
import { type AcceptedVideo, attachWebRTCVideo, followAcceptedVideo } from "./media/webrtc-video.ts";
import { openWebSocketAudio, recorderSampleRate } from "./media/websocket-audio.ts";
import { type Notice, webrtcTimedOut, websocketTimedOut } from "./notices.ts";

type TemplateProps = ComponentProps<typeof ConsoleTemplate>;

/** How this page connects over one transport. */
export interface Console {
  readonly label: string;
  /** Returns the parameters for the client's `connect`, from the answer to `POST /start`. Throws an Error if a field is missing. */
  connectParams(reply: unknown): unknown;
  /** The notice if no connection is established within `seconds`. */
  timedOut(seconds: number): Notice;
  /** Called with each client before its first call. */
  onClient?(client: PipecatClient): void;
  /** Reports which video the bot accepts. Missing if the transport carries no video. */
  followVideo?(client: PipecatClient, onChange: (accepted: AcceptedVideo) => void): void;
  /** Called once per client, and returns a new `media` each time. The client is rebuilt when one of the template's settings changes. */
  open(): {
    readonly media: CallMedia;
    readonly template: Pick<
      TemplateProps,
      "startBotParams" | "transportOptions" | "transportType" | "noAudioOutput" | "noSessionInfo"
    >;
  };
}

export const webrtcConsole: Console = {
  label: "WebRTC",
  connectParams(reply) {
    const { sessionId, iceConfig } = Object(reply) as { readonly sessionId?: unknown; readonly iceConfig?: unknown };
    if (typeof sessionId !== "string") throw new Error("The runner's answer has no sessionId.");
    // With an explicit endpoint, the client does not derive it from the address of /start. It fails if iceConfig is null.
    const webrtcRequestParams = { endpoint: runnerUrl(`sessions/${sessionId}/api/offer`), headers: apiKeyHeaders() };
    return iceConfig ? { sessionId, webrtcRequestParams, iceConfig } : { sessionId, webrtcRequestParams };
  },
  timedOut: webrtcTimedOut,
  onClient: followBotTrack,
  followVideo: followAcceptedVideo,
  open() {
    const media = new CallMedia(openWebRTCAudio, attachWebRTCVideo);
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

export const websocketConsole: Console = {
  label: "WebSocket",
  connectParams(reply) {
    const { wsUrl, token } = Object(reply) as { readonly wsUrl?: unknown; readonly token?: unknown };
    if (typeof wsUrl !== "string") throw new Error("The runner's answer has no wsUrl.");
    // The client rejects all other keys, and a token that is null.
    return typeof token === "string" ? { wsUrl, token } : { wsUrl };
  },
  timedOut: websocketTimedOut,
  open() {
    const media = new CallMedia(openWebSocketAudio);
    return {
      media,
      template: {
        transportType: "websocket",
        transportOptions: { mediaManager: media, recorderSampleRate },
        startBotParams: startRequest("websocket"),
        noAudioOutput: true, // openWebSocketAudio plays the bot's audio
        noSessionInfo: true, // the template knows neither this transport's name nor its session
      },
    };
  },
};
