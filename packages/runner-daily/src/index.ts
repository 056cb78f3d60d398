export type { DailyDialinRequest, DailyParams, DailyRunnerArguments } from "./arguments.ts";
export { type BrowserEngineOptions, createBrowserEngine } from "./call/browser/browser-engine.ts";
export type {
  DailyCall,
  DailyCallListener,
  DailyEngine,
  DailyEvent,
  DailyMethod,
  JoinRequest,
} from "./call/daily-call.ts";
export type { DailyTransportEvents } from "./call/daily-events.ts";
export type { DailyTransport } from "./call/daily-transport.ts";
export type { DailyParticipant, TrackState } from "./call/participant.ts";
export type { DialoutOptions, DtmfOptions, PhoneCalls, TransferOptions } from "./call/phone-calls.ts";
export type { DailyOptions } from "./options.ts";
export { createDailyPlugin } from "./plugin.ts";
export { type ConfigureDailyOptions, configureDaily, type DailyConfiguration } from "./rooms/configure.ts";
export { type DailyAnswer, DailyError } from "./rooms/daily-error.ts";

export {
  createDailyRest,
  type DailyRest,
  type DailyRestOptions,
  type DailyRoom,
  type PinlessCall,
} from "./rooms/rest.ts";

export { createDailyTransport, type DailyTransportOptions } from "./transport.ts";
