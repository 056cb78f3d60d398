export type { BotOutputOptions, BotSpeechOptions, SpokenSegment } from "./bot-output.ts";
export type { AboutClient, RTVIClient } from "./client.ts";
export type {
  ClientMessage,
  ClientRequest,
  FunctionCallAnswer,
  FunctionResult,
  JobGroupCancellation,
  RTVIEvents,
  SentText,
  UIEvent,
  UISnapshotMessage,
} from "./client-events.ts";
export type { FunctionCallOptions } from "./function-calls.ts";
export { answerHandshake, type HandshakeOptions } from "./handshake.ts";
export type { Measurement, Metrics, TokenUsage } from "./metrics.ts";
export type { RawAudio, RawAudioFrame } from "./raw-audio.ts";
export { createRTVI, type RTVI } from "./rtvi.ts";
export type { FunctionCallEnd, FunctionCallProgress, RTVISenders, UserTranscription } from "./senders.ts";
export type { SearchResponse } from "./server-messages.ts";
export type { RTVILogger, RTVITransport } from "./transport.ts";
export type { UICommands, UIJobGroup, UITarget } from "./ui-commands.ts";
export type { UINode, UISelection, UISnapshot } from "./ui-snapshot.ts";
