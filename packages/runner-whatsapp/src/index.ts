// WhatsApp calls are WebRTC calls for the bot: a bot that imports this package's types can narrow on `webrtc`.
export type { SmallWebRTCRunnerArguments, WebRTCParams } from "@pipecat-ts/runner-webrtc";
export type { WhatsAppCallData } from "./arguments.ts";
