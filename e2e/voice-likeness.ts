import type { AudioFrame } from "@pipecat-ts/audio";
import { findGaps, measureLevel, measurePitch } from "@pipecat-ts/runner-testing";

/** What was spoken, as it should be heard. */
export interface Expected {
  readonly spoken: AudioFrame;
  /** The pitch of the voice, in Hz. */
  readonly hz: number;
  /** How much louder or quieter it may have become, in dB. */
  readonly toleranceDb: number;
}

/** How `heard` differs from the voice spoken: in pitch by 1 %, in level, or by silences; `undefined` when it does not. */
export function differenceOf(heard: AudioFrame, { spoken, hz, toleranceDb }: Expected): string | undefined {
  const pitch = measurePitch(heard) ?? 0;
  if (Math.abs(pitch / hz - 1) > 0.01) return `heard ${pitch} Hz of ${hz} Hz`;
  const [level, expected] = [measureLevel(heard), measureLevel(spoken)];
  if (Math.abs(level - expected) > toleranceDb) return `heard ${level} dBFS of ${expected} dBFS`;
  const [silent, pauses] = [silentShare(heard), silentShare(spoken)];
  return silent > pauses + 0.05 ? `heard silence ${silent} of the time, not ${pauses}` : undefined;
}

/** How much of the time is silence between sounds, from 0 to 1. */
function silentShare(audio: AudioFrame): number {
  const silentMs = findGaps(audio).reduce((sum, { durationMs }) => sum + durationMs, 0);
  return silentMs / ((audio.samples.length / audio.sampleRate) * 1000);
}
