import type { AudioFrame } from "@pipecat-ts/audio";

const minRate = 1_000;
const maxRate = 192_000;
const maxChannels = 8;

/**
 * What is wrong with a frame, in words; `undefined` when it can be heard. Takes whatever untyped code may hand it. One
 * without samples is in order.
 */
export function frameFault(frame: AudioFrame): string | undefined {
  if (typeof frame !== "object" || frame === null) return `it is ${describe(frame)}, no AudioFrame`;
  const { samples, sampleRate, channels } = frame;
  if (!(samples instanceof Int16Array)) return `its samples are ${describe(samples)}, no Int16Array`;
  if (!Number.isInteger(sampleRate) || sampleRate < minRate || sampleRate > maxRate) {
    return `its sampleRate is ${describe(sampleRate)}, no whole number of Hz from ${minRate} to ${maxRate}`;
  }
  if (channels === 1) return undefined;
  if (!Number.isInteger(channels) || channels < 1 || channels > maxChannels) {
    return `it has ${describe(channels)} channels, not 1 to ${maxChannels}`;
  }
  if (samples.length % channels !== 0) {
    return `its ${samples.length} samples do not divide into ${channels} channels`;
  }
  return undefined;
}

function describe(value: unknown): string {
  if (typeof value === "number") return String(value);
  if (typeof value !== "object" || value === null) return value === null ? "null" : `a ${typeof value}`;
  return `a ${value.constructor?.name ?? "object"}`;
}
