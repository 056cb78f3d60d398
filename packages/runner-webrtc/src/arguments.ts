import type {
  CloseReason,
  SessionArguments,
  Transport,
  TransportEvents,
  TransportParams,
} from "@pipecat-ts/runner-core";
import type { CallerTrack } from "./messages.ts";

/** The arguments of a bot whose caller connected over WebRTC. */
export interface SmallWebRTCRunnerArguments extends SessionArguments<"webrtc"> {
  /** The caller's connection, which `createTransport` uses. */
  readonly webrtcConnection: SmallWebRTCConnection;
}

/** A caller's connection. It outlives its peers: a caller who lost the network returns with a new peer. */
export interface SmallWebRTCConnection {
  /** The id of the current peer, which the caller sends with further offers: `{sessionId}.{n}`, or `{random}.{n}` if the caller chose the session's id. Changes with each new peer. */
  readonly pcId: string;
  /** `waiting`: for the first offer, or for the peer to connect; `connected`; `closed`: for good. */
  readonly state: "waiting" | "connected" | "closed";
  /** Asks the client for a new offer on the current peer. Does nothing while its data channel is not open. */
  renegotiate(): void;
  /** Resolves, and never rejects, when the caller has left or the connection was closed. */
  readonly left: Promise<CloseReason>;
}

/** The params of a bot for WebRTC. */
export interface WebRTCParams extends TransportParams {
  /** Receive the caller's camera and screen: `transport.video`. Default false. */
  readonly videoInEnabled?: boolean | undefined;
  /** Bitrate of the bot's audio in bit/s: 6,000 to 510,000. Default 56,000, of which speech uses 50 to 70 %. */
  readonly audioOutBitrate?: number | undefined;
  /** Complexity of the Opus encoder: a whole number from 0 (least CPU) to 10 (best quality). Default 5. */
  readonly audioOutComplexity?: number | undefined;
  /** Discontinuous transmission: sends a long silence as packets of one byte, for which the client generates comfort noise. Default false. */
  readonly audioOutDtx?: boolean | undefined;
}

/** The events of a WebRTC transport. */
export interface WebRTCEvents extends TransportEvents {
  /** The caller muted or unmuted a track. The client also reports each track once at the start. A muted microphone sends silence. */
  trackStatus: [track: CallerTrack, enabled: boolean];
}

declare module "@pipecat-ts/runner-core" {
  interface RunnerArgumentsByTransport {
    webrtc: SmallWebRTCRunnerArguments;
  }
  interface TransportParamsByTransport {
    webrtc: WebRTCParams;
  }
  interface TransportsByTransport {
    webrtc: Transport<WebRTCEvents>;
  }
}
