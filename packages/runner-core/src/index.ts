export type {
  Bot,
  BotSession,
  CallData,
  RunnerArguments,
  RunnerArgumentsByTransport,
  SessionArguments,
  TransportName,
} from "./arguments.ts";
export { createCallerVideo } from "./caller-video.ts";
export { type Clock, pause, systemClock } from "./clock.ts";
export { closest } from "./closest.ts";
export {
  type CheckedFactories,
  type Connect,
  connectKey,
  createTransport,
  type ParamsOf,
  type TransportFactories,
  type TransportOf,
  type TransportParamsByTransport,
  type TransportsByTransport,
} from "./create-transport.ts";
export { errorStatus, isRunnerError, RunnerError, type RunnerErrorCode } from "./errors.ts";
export type { FileStorage } from "./files.ts";
export { jsonExcess, maxJsonValues, type ParsedJson, parseJson } from "./json.ts";
export type { Logger, LogLine } from "./logger.ts";
export { type OptionDefinition, type OptionSources, type OptionTable, optionLabel, resolveOptions } from "./options.ts";
export {
  type Access,
  type Availability,
  type CallerSocket,
  type Credentials,
  checkPlugin,
  contractVersion,
  type DoctorCheck,
  type DoctorContext,
  type DoctorResult,
  type HttpMethod,
  type HttpRoute,
  type OpenTransport,
  type ReceivedRequest,
  type Refusal,
  type RouteContext,
  type RunnerContext,
  type SentRequest,
  type SocketHandlers,
  type SocketRequest,
  type SocketRoute,
  type SocketUpgrade,
  type StartBody,
  type StartReply,
  type StartRequest,
  type TransportPlugin,
} from "./plugin.ts";
export type { Call, CallInput, MediaPort, Pacer, PortMedia } from "./port.ts";
export { createRateLimit, type RateLimit, type RateLimitOptions } from "./rate-limit.ts";
export {
  createRestClient,
  type RestAnswer,
  type RestClient,
  type RestClientOptions,
  type RestRequest,
} from "./rest.ts";
export { safeEqual } from "./safe-equal.ts";
export type { OwnArguments, Session, SessionState } from "./session.ts";
export { clientOf, isExposed, isLoopback, isReachable, type RunnerSettings } from "./settings.ts";
export { withTimeout } from "./timeout.ts";
export {
  type CallCounters,
  type CallerVideo,
  type CloseReason,
  type Interruption,
  isFault,
  type ListenOptions,
  type Playback,
  type Snapshot,
  type Speech,
  type SpeechEnd,
  type SpeechProgress,
  type SpeechTextOptions,
  type Transport,
  type TransportCapabilities,
  type TransportEvents,
  type TransportParams,
  type VideoSource,
} from "./transport.ts";
