import { durationMs, measureLevel } from "@pipecat-ts/audio";
import type { PlayedFrame } from "@pipecat-ts/runner-core/caller";

/** What was measured in one call. A figure is `undefined` when there was nothing to measure. */
export interface CallFigures {
  /** From dialing until the caller may speak. */
  readonly answerMs: number | undefined;
  /** From the answer until the caller hears the bot. */
  readonly firstAudioMs: number | undefined;
  /** From the caller's first sound, when it interrupts the bot, until the bot is silent. */
  readonly bargeInMs: number | undefined;
  /** How much audio of the bot was heard, without silence. */
  readonly heardMs: number;
  /** The level of that audio, in dBFS. */
  readonly levelDb: number | undefined;
  /** How often the bot's audio came late: pauses of 20 to 500 ms in the middle of its speech, without audio. */
  readonly gaps: number;
  /** The longest of these pauses; 0 without any. */
  readonly longestGapMs: number;
  /** From the answer to the end. */
  readonly durationMs: number;
}

/** Measures the audio that a caller hears, in memory that does not grow. Times are on the scale of `performance.now()`, in ms. */
export interface CallMeter {
  /** The caller has heard a frame, after all others. Returns its level in dBFS. */
  heard(entry: PlayedFrame): number;
  /** The caller begins to interrupt the bot. */
  bargedIn(atMs: number): void;
  /** When the bot was first and last audible, until now. */
  readonly audibleFromMs: number | undefined;
  readonly audibleToMs: number | undefined;
  /** The figures of a call that ended now. */
  figures(endedAtMs: number): Omit<CallFigures, "answerMs">;
}

/** Audio of the bot below this level, in dBFS, counts as silence. */
const audibleDb = -45;
const shortestGapMs = 20;
const longestGapMs = 500;
/** A bot that is silent for so long has stopped. Pauses between syllables are shorter. */
const stoppedMs = 300;

export function createCallMeter(answeredAtMs: number): CallMeter {
  let audibleFromMs: number | undefined;
  let audibleToMs: number | undefined;
  let heardMs = 0;
  /** The mean square of what was heard, times its duration. */
  let energy = 0;
  let gaps = 0;
  let longestMs = 0;
  /** The end of the last frame, if it was audible. */
  let speaksUntilMs: number | undefined;
  let bargedInAtMs: number | undefined;
  /** The end of what the bot said before it was silent for `stoppedMs`, after the caller began to interrupt it. */
  let silentAtMs: number | undefined;
  let hasStopped = false;

  function noteGap(atMs: number): void {
    const holeMs = speaksUntilMs === undefined ? 0 : atMs - speaksUntilMs;
    if (holeMs < shortestGapMs || holeMs > longestGapMs) return;
    gaps += 1;
    longestMs = Math.max(longestMs, holeMs);
  }

  function noteBargeIn(atMs: number, endMs: number): void {
    if (bargedInAtMs === undefined || hasStopped || endMs <= bargedInAtMs - stoppedMs) return;
    hasStopped = atMs - (silentAtMs ?? bargedInAtMs) >= stoppedMs;
    if (!hasStopped) silentAtMs = endMs;
  }

  function bargeInMs(endedAtMs: number): number | undefined {
    if (bargedInAtMs === undefined || silentAtMs === undefined) return undefined;
    return endedAtMs - silentAtMs < stoppedMs ? undefined : Math.max(0, silentAtMs - bargedInAtMs);
  }

  return {
    heard({ frame, atMs }) {
      const level = measureLevel(frame);
      const endMs = atMs + durationMs(frame);
      if (level < audibleDb) {
        speaksUntilMs = undefined;
        return level;
      }
      noteGap(atMs);
      noteBargeIn(atMs, endMs);
      audibleFromMs ??= atMs;
      audibleToMs = endMs;
      speaksUntilMs = endMs;
      heardMs += durationMs(frame);
      energy += 10 ** (level / 10) * durationMs(frame);
      return level;
    },
    bargedIn(atMs) {
      bargedInAtMs = atMs;
      if (audibleToMs !== undefined && audibleToMs > atMs - stoppedMs) silentAtMs = audibleToMs;
    },
    get audibleFromMs() {
      return audibleFromMs;
    },
    get audibleToMs() {
      return audibleToMs;
    },
    figures: (endedAtMs) => ({
      firstAudioMs: audibleFromMs === undefined ? undefined : audibleFromMs - answeredAtMs,
      bargeInMs: bargeInMs(endedAtMs),
      heardMs,
      levelDb: heardMs === 0 ? undefined : 10 * Math.log10(energy / heardMs),
      gaps,
      longestGapMs: longestMs,
      durationMs: endedAtMs - answeredAtMs,
    }),
  };
}
