import type { AudioFrame } from "./frame.ts";
import { requireInteger } from "./range.ts";

/**
 * The frame with its channels mixed into one, their average sample by sample; a mono frame is returned as it is.
 * Throws RangeError when the samples do not divide into the channels.
 */
export function mixToMono(frame: AudioFrame): AudioFrame {
  const { samples, sampleRate, channels } = frame;
  if (channels === 1) return frame;
  requireInteger("channels", channels, 1, 255);
  if (samples.length % channels !== 0) {
    throw new RangeError(
      `The frame has ${samples.length} samples; with ${channels} channels it must have a multiple of ${channels}.`,
    );
  }
  const mono = new Int16Array(samples.length / channels);
  for (let index = 0; index < mono.length; index++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += samples[index * channels + channel] as number;
    mono[index] = Math.round(sum / channels);
  }
  return { samples: mono, sampleRate, channels: 1 };
}
