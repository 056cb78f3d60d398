export {
  type AudioFrame,
  type Chunker,
  createChunker,
  createResampler,
  decodeAlaw,
  decodeMulaw,
  decodePcm16,
  durationMs,
  encodeAlaw,
  encodeMulaw,
  encodePcm16,
  encodeWav,
  mixToMono,
  parseWav,
  type Resampler,
  type ResamplerOptions,
  wavHeader,
} from "@pipecat-ts/audio";
export { createRTVI, type RTVI, type RTVIOptions } from "@pipecat-ts/rtvi";
export {
  type Bot,
  type BotSession,
  type CallData,
  type CloseReason,
  createTransport,
  type FileStorage,
  type Interruption,
  isRunnerError,
  type Logger,
  type OptionDefinition,
  type OptionTable,
  type Playback,
  type RunnerArguments,
  RunnerError,
  type SessionArguments,
  type Speech,
  type SpeechEnd,
  type SpeechProgress,
  type Transport,
  type TransportEvents,
  type TransportName,
  type TransportParams,
  type TransportPlugin,
} from "@pipecat-ts/runner-core";
export { createRunner, type Runner, type RunnerOptions } from "@pipecat-ts/runner-host";
export type { BotOptions } from "./flags.ts";
export { type ModuleMeta, main } from "./main-function.ts";
export type { RunnerConfig } from "./plugins.ts";
export { type Recording, type RecordingOptions, recordCall } from "./recording.ts";
