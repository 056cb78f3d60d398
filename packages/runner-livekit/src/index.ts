export type { LiveKitParams, LiveKitRunnerArguments } from "./arguments.ts";
export type { JoinRequest, LiveKitClient, LiveKitParticipant, RoomConnection, RoomListener } from "./client.ts";
export type { LiveKitOptions } from "./options.ts";
export { createLiveKitPlugin } from "./plugin.ts";
export { type ConnectLiveKitOptions, connectLiveKit } from "./port.ts";
export type { OwnCallerCheck } from "./room.ts";
export { createRtcClient } from "./rtc-client.ts";
export type { LiveKitTransport, LiveKitTransportEvents } from "./transport.ts";
