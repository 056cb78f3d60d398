export type {
  SmallWebRTCConnection,
  SmallWebRTCRunnerArguments,
  WebRTCEvents,
  WebRTCParams,
} from "./arguments.ts";
export {
  type AnsweredCall,
  type CallDetails,
  type Calls,
  createWebRTCConnection,
  openCalls,
  type WebRTCConnection,
  type WebRTCConnectionOptions,
} from "./calls.ts";
export type { CallerTrack } from "./messages.ts";
export { type CallSettings, type CallsOptions, callOptions } from "./options.ts";
export type { IceServer, RemoteCandidate } from "./peer/peer.ts";
export type { CallerAnswer, CallerOffer } from "./peers.ts";
