/**
 * A stretch of PCM sound. Immutable by convention and never reused: whoever gives a frame away no longer writes to it.
 */
export interface AudioFrame {
  /** Signed 16-bit samples; channels interleaved, so the length is a multiple of `channels`. */
  readonly samples: Int16Array;
  /** Samples per second and channel, in Hz. */
  readonly sampleRate: number;
  /** 1 is mono, 2 is stereo. */
  readonly channels: number;
}

/** How long a frame sounds, in ms. */
export function durationMs(frame: AudioFrame): number {
  return (frame.samples.length / frame.channels / frame.sampleRate) * 1000;
}
