export {
  cut,
  excerpt,
  findGaps,
  findSound,
  findVoice,
  type Gap,
  join,
  type Match,
  measureLevel,
  measurePitch,
  measureTone,
  type SignalOptions,
  silence,
  sweep,
  syllables,
  tone,
} from "@pipecat-ts/audio";
export type { ReplayEvent, ReplayOptions, ReplayResult } from "@pipecat-ts/runner-capture";
export { type CapturedCall, type CaptureEvent, readCapture } from "@pipecat-ts/runner-capture";
export { type Answer, createPlayout, type PlayedFrame, type Playout, send } from "@pipecat-ts/runner-core/caller";
export type { FakeCaller, Invitation, TransportAdapter } from "./adapter.ts";
export { until, within } from "./assertions.ts";
export { type BotCall, type BotCallOptions, callBot } from "./call-bot.ts";
export type { Requirement, RunOptions } from "./fixture.ts";
export type { ExpectedSound, HeardSound, Hearing } from "./hearing.ts";
export { createRecordingLogger, type LoggedLine, type RecordingLogger } from "./log.ts";
export { replay } from "./replay.ts";
export { type Job, type Outcome, requirements, runRequirements } from "./requirements.ts";
export {
  countResources,
  countSettledResources,
  type Resources,
  resourceGrowth,
  settleResources,
  type TimerWatch,
  watchTimers,
} from "./resources.ts";
export { toneMs } from "./speech.ts";
export { type RunnerCall, startRunner, type TestRunner, type TestRunnerOptions } from "./start-runner.ts";
