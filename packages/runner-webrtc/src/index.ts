export type {
  SmallWebRTCConnection,
  SmallWebRTCRunnerArguments,
  WebRTCEvents,
  WebRTCParams,
} from "./arguments.ts";
export type { CallerTrack } from "./messages.ts";
export type { IceServer } from "./peer/peer.ts";
