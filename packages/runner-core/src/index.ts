export type {
  Bot,
  CallData,
  RunnerArguments,
  RunnerArgumentsByTransport,
  SessionArguments,
  TransportName,
} from "./arguments.ts";
export type { BotSession } from "./bot-session.ts";
export {
  connectKey,
  connectOf,
  createTransport,
  type TransportOf,
  type TransportsByTransport,
} from "./create-transport.ts";
export { errorStatus, isRunnerError, RunnerError, type RunnerErrorCode } from "./errors.ts";
export type { Logger, LogLine } from "./logger.ts";
export { type OptionDefinition, type OptionSources, type OptionTable, optionLabel, resolveOptions } from "./options.ts";
export type {
  Access,
  Availability,
  HttpMethod,
  HttpRoute,
  OpenTransport,
  Refusal,
  RouteContext,
  SocketRequest,
  SocketRoute,
  StartBody,
  StartReply,
  StartRequest,
  TransportPlugin,
} from "./plugin.ts";
export { isLoopback, isReachedByOthers } from "./reach.ts";
export type { NewSession, RunnerContext, RunnerSettings } from "./runner.ts";
export type { Connect, OwnArguments, Session, SessionState } from "./session.ts";
export type {
  CallCounters,
  CloseReason,
  Interruption,
  ListenOptions,
  Playback,
  Transport,
  TransportEvents,
  TransportParams,
} from "./transport.ts";
export type {
  CheckedFactories,
  ParamsOf,
  TransportFactories,
  TransportParamsByTransport,
} from "./transport-factories.ts";
