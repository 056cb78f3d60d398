import type {
  CloseReason,
  SessionArguments,
  Transport,
  TransportEvents,
  TransportParams,
} from "@pipecat-ts/runner-core";
import type { CallerTrack } from "./messages.ts";

/** What a bot receives whose caller came in by WebRTC. */
export interface SmallWebRTCRunnerArguments extends SessionArguments<"webrtc"> {
  /** The caller's connection. `createTransport` hears and speaks over it. */
  readonly webrtcConnection: SmallWebRTCConnection;
}

/** A caller's connection, which outlives the peers that make it up: a caller whose network broke comes back with a new one. */
export interface SmallWebRTCConnection {
  /** What the caller calls it by in its next offer: `{sessionId}.{n}`, another after each new peer. */
  readonly pcId: string;
  /** `waiting`: for a first offer, or for a way to the caller; `connected`; `closed`: for good. */
  readonly state: "waiting" | "connected" | "closed";
  /** Asks the client for a new offer on the peer it has. Does nothing while its data channel is not open. */
  renegotiate(): void;
  /** Resolves, never rejects, when the caller is gone or the connection was closed. */
  readonly left: Promise<CloseReason>;
}

/** What a bot may choose about WebRTC. */
export interface WebRTCParams extends TransportParams {
  /** Of the bot's voice, in bit/s: from 6,000 to 510,000. Default 32,000. */
  readonly audioOutBitrate?: number;
  /** How hard the encoder tries: a whole number from 0, the cheapest, to 10. Default 5. */
  readonly audioOutComplexity?: number;
  /** Whether a long silence of the bot's becomes packets of one byte, for which the client makes noise of its own. Default false. */
  readonly audioOutDtx?: boolean;
}

/** What a WebRTC transport tells its bot. */
export interface WebRTCEvents extends TransportEvents {
  /** The caller muted or opened one of its tracks; told for each when it comes. A muted microphone goes on sending silence. */
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
