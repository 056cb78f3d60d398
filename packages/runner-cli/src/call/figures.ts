import { durationMs, join, measureLevel } from "@pipecat-ts/audio";
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

/** When things happened, on the scale of `performance.now()`, in ms. */
export interface CallTimes {
  readonly answeredAtMs: number;
  readonly endedAtMs: number;
  /** When the caller began to interrupt the bot. */
  readonly bargedInAtMs: number | undefined;
}

/** Audio of the bot below this level, in dBFS, counts as silence. */
export const audibleDb = -45;
const shortestGapMs = 20;
const longestGapMs = 500;
/** A bot that is silent for so long has stopped. Pauses between syllables are shorter. */
const stoppedMs = 300;

/** Measures the audio that a caller heard. */
export function measureCall(played: readonly PlayedFrame[], times: CallTimes): Omit<CallFigures, "answerMs"> {
  const audible = played.filter(({ frame }) => measureLevel(frame) >= audibleDb);
  const gaps = findGaps(played, audible);
  const heard = audible.map(({ frame }) => frame);
  return {
    firstAudioMs: audible[0] && audible[0].atMs - times.answeredAtMs,
    bargeInMs: bargeInMs(audible, times),
    heardMs: heard.reduce((total, frame) => total + durationMs(frame), 0),
    levelDb: heard.length === 0 ? undefined : measureLevel(join(heard.filter(sameFormatAs(heard[0])))),
    gaps: gaps.length,
    longestGapMs: Math.max(0, ...gaps),
    durationMs: times.endedAtMs - times.answeredAtMs,
  };
}

type Frame = PlayedFrame["frame"];

function sameFormatAs(first: Frame | undefined): (frame: Frame) => boolean {
  return ({ sampleRate, channels }) => sampleRate === first?.sampleRate && channels === first.channels;
}

function endOf({ frame, atMs }: PlayedFrame): number {
  return atMs + durationMs(frame);
}

/** The durations of the holes between two audible frames in a row. A bot that pauses on purpose may also send nothing. */
function findGaps(played: readonly PlayedFrame[], audible: readonly PlayedFrame[]): number[] {
  const isAudible = new Set(audible);
  return played.slice(1).flatMap((next, index) => {
    const before = played[index];
    if (!before || !isAudible.has(before) || !isAudible.has(next)) return [];
    const hole = next.atMs - endOf(before);
    return hole >= shortestGapMs && hole <= longestGapMs ? [hole] : [];
  });
}

function bargeInMs(audible: readonly PlayedFrame[], { bargedInAtMs, endedAtMs }: CallTimes): number | undefined {
  if (bargedInAtMs === undefined) return undefined;
  let silentAtMs: number | undefined;
  for (const entry of audible) {
    if (endOf(entry) <= bargedInAtMs - stoppedMs) continue;
    if (entry.atMs - (silentAtMs ?? bargedInAtMs) >= stoppedMs) break;
    silentAtMs = endOf(entry);
  }
  if (silentAtMs === undefined || endedAtMs - silentAtMs < stoppedMs) return undefined;
  return Math.max(0, silentAtMs - bargedInAtMs);
}
