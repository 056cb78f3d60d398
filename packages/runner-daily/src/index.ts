export {
  createDailyRest,
  type DailyAnswer,
  DailyError,
  type DailyRest,
  type DailyRestOptions,
  type DailyRoom,
  type PinlessCall,
} from "./api.ts";
export type { DailyDialinRequest, DailyParams, DailyRunnerArguments } from "./arguments.ts";
export { type BrowserClientOptions, createBrowserClient } from "./browser-client.ts";
export type {
  DailyCall,
  DailyCallListener,
  DailyClient,
  DailyEvent,
  DailyMethod,
  JoinRequest,
} from "./client.ts";
export type { DailyOptions } from "./options.ts";
export type { DailyParticipant, TrackState } from "./participants.ts";
export type { DialoutOptions, DtmfOptions, PhoneCalls, TransferOptions } from "./phone-calls.ts";
export { createDailyPlugin } from "./plugin.ts";
export { type ConnectDailyOptions, connectDaily } from "./port.ts";
export type { RoomProperties, TokenProperties } from "./properties.ts";
export type { OwnCallerCheck } from "./room.ts";
export { type ConfigureDailyOptions, configureDaily, type DailyConfiguration } from "./rooms.ts";
export type { DailyTransport, DailyTransportEvents } from "./transport.ts";
