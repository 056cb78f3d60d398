import { type AudioFrame, durationMs, measureLevel } from "@pipecat-ts/audio";

/** Detects speech in a stream of audio by its level. */
export interface SpeechDetector {
  /** Adds audio. Returns what it found: at most one change per call. */
  push(frame: AudioFrame): "started" | "stopped" | undefined;
  /** How much audio was added, in ms. */
  readonly positionMs: number;
}

const speechDb = -40;
const startMs = 100;

/** A detector that reports the end of speech after `silenceMs`. */
export function createSpeechDetector(silenceMs: number): SpeechDetector {
  let speaking = false;
  let positionMs = 0;
  let loudMs = 0;
  let quietMs = 0;
  return {
    get positionMs() {
      return positionMs;
    },
    push(frame) {
      const ms = durationMs(frame);
      positionMs += ms;
      const isLoud = measureLevel(frame) > speechDb;
      loudMs = isLoud ? loudMs + ms : 0;
      quietMs = isLoud ? 0 : quietMs + ms;
      if (!speaking && loudMs >= startMs) {
        speaking = true;
        return "started";
      }
      if (speaking && quietMs >= silenceMs) {
        speaking = false;
        return "stopped";
      }
      return undefined;
    },
  };
}
