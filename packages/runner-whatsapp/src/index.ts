// Its bots are those of WebRTC: importing this package's types lets a bot narrow on `webrtc`.
export type { SmallWebRTCRunnerArguments, WebRTCParams } from "@pipecat-ts/runner-webrtc";
export type { WhatsAppCallData } from "./call-data.ts";
