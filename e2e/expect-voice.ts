import type { AudioFrame } from "@pipecat-ts/audio";
import { findGaps, measureLevel, measurePitch } from "@pipecat-ts/runner-testing";
import { expect } from "vitest";

/**
 * Fails unless `heard` is the voice `spoken`: at its pitch to 1 %, as loud to 1 dB, and not silent for longer, but for what a
 * machine without a core to spare may lose.
 */
export function expectVoice(heard: AudioFrame, spoken: AudioFrame, hz: number): void {
  const pitch = measurePitch(heard) ?? 0;
  expect(Math.abs(pitch / hz - 1), `heard ${pitch} Hz of ${hz} Hz`).toBeLessThan(0.01);
  const [level, expected] = [measureLevel(heard), measureLevel(spoken)];
  expect(Math.abs(level - expected), `heard ${level} dBFS of ${expected} dBFS`).toBeLessThan(1);
  expect(silentShare(heard), "silence heard, of all").toBeLessThan(silentShare(spoken) + 0.1);
}

/** How much of the time between the first sound and the last is silence, from 0 to 1. */
function silentShare(audio: AudioFrame): number {
  const silentMs = findGaps(audio).reduce((sum, { durationMs }) => sum + durationMs, 0);
  return silentMs / ((audio.samples.length / audio.sampleRate) * 1000);
}
