export type { BotOutputOptions, BotSpeechOptions, SpokenSegment } from "./bot-output.ts";
export type {
  ClientMessage,
  ClientRequest,
  EvalContext,
  FileReader,
  FileSource,
  FunctionCallResult,
  FunctionResult,
  JobGroupCancellation,
  RawAudio,
  RawAudioFrame,
  RTVIEvents,
  SentFile,
  SentText,
  UIEvent,
  UINode,
  UISelection,
  UISnapshot,
  UISnapshotMessage,
} from "./client-events.ts";
export type { FunctionCallOptions } from "./function-calls.ts";
export { answerHandshake, type HandshakeOptions, handledMessages, sendFatalError } from "./handshake.ts";
export type { AboutClient, RTVIClient } from "./protocols.ts";
export type { FunctionCallReportLevel, ReportOptions } from "./reports.ts";
export { createRTVI, type RTVI, type RTVIOptions } from "./rtvi.ts";
export type {
  FunctionCallEnd,
  FunctionCallProgress,
  LlmMarker,
  RTVISenders,
  UserInput,
  UserTranscription,
} from "./senders.ts";
export type {
  BotCapabilities,
  Measurement,
  Metrics,
  SearchResponse,
  TokenUsage,
  UICommands,
  UIJobGroup,
  UITarget,
} from "./server-messages.ts";
export type { RTVILogger, RTVITransport } from "./transport.ts";
