export type { FakeCaller, Invitation, TransportAdapter } from "./adapter.ts";
export { until, within } from "./assertions.ts";
export { type BotCall, type BotCallOptions, callBot } from "./call-bot.ts";
export type { Requirement } from "./fixture.ts";
export { type Answer, send } from "./http.ts";
export { createRecordingLogger, type LoggedLine, type RecordingLogger } from "./log.ts";
export {
  findGaps,
  findSound,
  findVoice,
  type Gap,
  type Match,
  measureLevel,
  measurePitch,
  measureTone,
} from "./measure.ts";
export { createPlayout, type PlayedFrame, type Playout } from "./playout.ts";
export { type Job, type Outcome, type RunOptions, requirements, runRequirements } from "./requirements.ts";
export {
  countResources,
  countSettledResources,
  type Resources,
  resourceGrowth,
  settleResources,
  type TimerWatch,
  watchTimers,
} from "./resources.ts";
export { cut, excerpt, join, type SignalOptions, silence, sweep, syllables, tone } from "./signal.ts";
