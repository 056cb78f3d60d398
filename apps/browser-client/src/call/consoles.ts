import { PipecatClient, type RTVIMessage, type Transport } from "@pipecat-ai/client-js";
import { SmallWebRTCTransport } from "@pipecat-ai/small-webrtc-transport";
import { WebSocketTransport } from "@pipecat-ai/websocket-transport";
import { apiKeyHeaders, runnerUrl } from "../api.ts";
import { CallMedia } from "../media/call-media.ts";
import { connectionOf, followBotTrack, openWebRTCAudio } from "../media/webrtc-audio.ts";
import { type AcceptedVideo, attachWebRTCVideo, followAcceptedVideo } from "../media/webrtc-video.ts";
import { openWebSocketAudio, recorderSampleRate } from "../media/websocket-audio.ts";
import { type Notice, webrtcTimedOut, websocketTimedOut } from "../notices.ts";

/** The client and the media of one call. */
export interface OpenConsole {
  readonly client: PipecatClient;
  readonly media: Pick<CallMedia, "disconnect">;
}

/** How this page connects over one transport. */
export interface Console {
  /** The transport's name in `POST /start`. */
  readonly name: string;
  /** Whether the page plays the bot's track. Otherwise the media do. */
  readonly playsBot: boolean;
  /** Returns the parameters for the client's `connect`, from the answer to `POST /start`. Throws an Error if a field is missing. */
  connectParams(reply: unknown): unknown;
  /** The notice if no connection is established within `seconds`. */
  timedOut(seconds: number): Notice;
  /** Reports which video the bot accepts. Missing if the transport carries no video. */
  followVideo?(client: PipecatClient, onChange: (accepted: AcceptedVideo) => void): void;
  /** The connection whose statistics are shown. Missing if the transport has none. */
  connection?(transport: Transport): RTCPeerConnection | undefined;
  /** Creates a client for one call. `onMessage` gets all messages of the bot. */
  open(onMessage: (message: RTVIMessage) => void): OpenConsole;
}

/** A client that reports all messages of the bot: the library has no events for some of them, such as `bot-interrupted`. */
class PageClient extends PipecatClient {
  onMessage?: (message: RTVIMessage) => void;

  protected override handleMessage(message: RTVIMessage): void {
    this.onMessage?.(message);
    super.handleMessage(message);
  }
}

export const webrtcConsole: Console = {
  name: "webrtc",
  playsBot: true,
  connectParams(reply) {
    const { sessionId, iceConfig } = Object(reply) as { readonly sessionId?: unknown; readonly iceConfig?: unknown };
    if (typeof sessionId !== "string") throw new Error("The runner's answer has no sessionId.");
    // With an explicit endpoint, the client does not derive it from the address of /start. It fails if iceConfig is null.
    const webrtcRequestParams = { endpoint: runnerUrl(`sessions/${sessionId}/api/offer`), headers: apiKeyHeaders() };
    return iceConfig ? { sessionId, webrtcRequestParams, iceConfig } : { sessionId, webrtcRequestParams };
  },
  timedOut: webrtcTimedOut,
  followVideo: followAcceptedVideo,
  connection: connectionOf,
  open(onMessage) {
    const media = new CallMedia(openWebRTCAudio, attachWebRTCVideo);
    const opened = openClient(new SmallWebRTCTransport({ mediaManager: media }), media, onMessage);
    followBotTrack(opened.client);
    return opened;
  },
};

export const websocketConsole: Console = {
  name: "websocket",
  playsBot: false,
  connectParams(reply) {
    const { wsUrl, token } = Object(reply) as { readonly wsUrl?: unknown; readonly token?: unknown };
    if (typeof wsUrl !== "string") throw new Error("The runner's answer has no wsUrl.");
    // The client rejects all other keys, and a token that is null.
    return typeof token === "string" ? { wsUrl, token } : { wsUrl };
  },
  timedOut: websocketTimedOut,
  open(onMessage) {
    const media = new CallMedia(openWebSocketAudio);
    return openClient(new WebSocketTransport({ mediaManager: media, recorderSampleRate }), media, onMessage);
  },
};

/** The transports that this page connects over, by name. */
export const consoles: Readonly<Record<string, Console>> = { webrtc: webrtcConsole, websocket: websocketConsole };

function openClient(transport: Transport, media: CallMedia, onMessage: (message: RTVIMessage) => void): OpenConsole {
  const client = new PageClient({ transport, enableMic: true, enableCam: false });
  client.onMessage = onMessage;
  return { client, media };
}
