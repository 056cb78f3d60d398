import { type AudioFrame, durationMs } from "@pipecat-ts/audio";

const minRate = 1_000;
const maxRate = 192_000;
const maxChannels = 8;

/** Why a frame is not valid audio, in words; `undefined` for a valid one. Accepts any value. A frame without samples is valid. */
export function frameFault(frame: AudioFrame): string | undefined {
  if (typeof frame !== "object" || frame === null) return `it is ${describe(frame)}, not an AudioFrame`;
  const { samples, sampleRate, channels } = frame;
  if (!(samples instanceof Int16Array)) return `its samples are ${describe(samples)}, not an Int16Array`;
  if (!Number.isInteger(sampleRate) || sampleRate < minRate || sampleRate > maxRate) {
    return `its sampleRate is ${describe(sampleRate)}, not an integer from ${minRate} to ${maxRate} Hz`;
  }
  if (channels === 1) return undefined;
  if (!Number.isInteger(channels) || channels < 1 || channels > maxChannels) {
    return `it has ${describe(channels)} channels, not 1 to ${maxChannels}`;
  }
  if (samples.length % channels !== 0) {
    return `its ${samples.length} samples cannot be divided into ${channels} channels`;
  }
  return undefined;
}

/** Duration of a frame in ms; 0 for one that is not valid audio. */
export function validDurationMs(frame: AudioFrame): number {
  return frameFault(frame) === undefined ? durationMs(frame) : 0;
}

function describe(value: unknown): string {
  if (typeof value === "number") return String(value);
  if (typeof value !== "object" || value === null) return value === null ? "null" : `a ${typeof value}`;
  return `a ${value.constructor?.name ?? "object"}`;
}
