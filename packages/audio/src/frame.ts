/** A piece of PCM audio. Frames are immutable by convention: do not write to a frame after you have passed it on. */
export interface AudioFrame {
  /** Signed 16-bit samples with interleaved channels. The length is a multiple of `channels`. */
  readonly samples: Int16Array;
  /** Samples per second and channel, in Hz. */
  readonly sampleRate: number;
  /** 1 is mono, 2 is stereo. */
  readonly channels: number;
}

/** Returns the duration of a frame in ms. */
export function durationMs(frame: AudioFrame): number {
  return (frame.samples.length / frame.channels / frame.sampleRate) * 1000;
}

/**
 * Mixes all channels to one by averaging them. Returns a mono frame unchanged. Throws a RangeError if the number of samples
 * is not a multiple of `channels`.
 */
export function mixToMono(frame: AudioFrame): AudioFrame {
  const { samples, sampleRate, channels } = frame;
  if (channels === 1) return frame;
  requireInteger("channels", channels, 1, 255);
  if (samples.length % channels !== 0) {
    throw new RangeError(
      `A frame with ${channels} channels cannot have ${samples.length} samples. Use a multiple of ${channels}.`,
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

/** Throws a RangeError unless `value` is an integer from `min` to `max`. */
export function requireInteger(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new RangeError(`${name}: ${value} is not an integer from ${min} to ${max}.`);
}
