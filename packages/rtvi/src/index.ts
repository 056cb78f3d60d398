export type { BotOutputOptions, BotSpeechOptions, SpokenSegment } from "./bot-output.ts";
export type {
  ClientMessage,
  ClientRequest,
  FunctionCallResult,
  FunctionResult,
  JobGroupCancellation,
  RawAudio,
  RawAudioFrame,
  RTVIEvents,
  SentText,
  UIEvent,
  UINode,
  UISelection,
  UISnapshot,
  UISnapshotMessage,
} from "./client-events.ts";
export type { FunctionCallOptions } from "./function-calls.ts";
export { type AboutClient, answerHandshake, type HandshakeOptions, type RTVIClient } from "./handshake.ts";
export { createRTVI, type RTVI } from "./rtvi.ts";
export type { FunctionCallEnd, FunctionCallProgress, RTVISenders, UserTranscription } from "./senders.ts";
export type {
  Measurement,
  Metrics,
  SearchResponse,
  TokenUsage,
  UICommands,
  UIJobGroup,
  UITarget,
} from "./server-messages.ts";
export type { RTVILogger, RTVITransport } from "./transport.ts";
