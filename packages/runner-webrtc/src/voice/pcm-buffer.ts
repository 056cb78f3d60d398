/**
 * Buffers decoded audio and returns it in frames of 20 ms. Durations are in samples at 48,000 Hz, whatever the sample rate of
 * the audio: 960 are one frame.
 */
export interface PcmBuffer {
  /** Duration of the buffered audio. */
  readonly length: number;
  /** Appends decoded audio. */
  push(samples: Int16Array): void;
  /** Appends concealed audio, which fades out when much of it follows in a row. Without samples: silence. */
  pushConcealed(samples: Int16Array | undefined, duration: number): void;
  pushSilence(duration: number): void;
  /** Removes and returns the first frame. At least one frame must be buffered. */
  shift(): Int16Array;
  /** Whether the last returned frame was a pause: silent, or 20 dB below the level of the last seconds. */
  readonly isPause: boolean;
}

const frame = 960;
/** Concealed audio plays at full level for 60 ms and fades out by 120 ms. */
const fadeOutStart = 3 * frame;
const fadeOutEnd = 6 * frame;
/** Decoded audio fades in over 5 ms after concealed audio that was fading out. */
const fadeIn = 240;
/** About −50 dBFS: below it, a frame is always a pause. */
const silentLevel = 100;
/** −20 dB. */
const pauseRatio = 0.1;
/** Decay of the peak level per frame. */
const peakDecay = 0.99;

export function createPcmBuffer(sampleRate: number): PcmBuffer {
  const ticksPerSample = 48_000 / sampleRate;
  const frameSamples = sampleRate / 50;
  const chunks: Int16Array[] = [];
  let length = 0;
  /** Duration of the concealed audio at the end of the buffer. */
  let concealed = 0;
  let peak = 0;
  let isPause = true;

  function append(samples: Int16Array): void {
    chunks.push(samples);
    length += samples.length * ticksPerSample;
  }

  function gainAfter(duration: number): number {
    return Math.min(1, Math.max(0, (fadeOutEnd - duration) / (fadeOutEnd - fadeOutStart)));
  }

  function shiftSamples(): Int16Array {
    const [first] = chunks;
    if (first?.length === frameSamples) {
      chunks.shift();
      return first;
    }
    const samples = new Int16Array(frameSamples);
    for (let filled = 0; filled < frameSamples; ) {
      const chunk = chunks[0] ?? new Int16Array(frameSamples);
      const part = chunk.subarray(0, frameSamples - filled);
      samples.set(part, filled);
      filled += part.length;
      if (part.length === chunk.length) chunks.shift();
      else chunks[0] = chunk.subarray(part.length);
    }
    return samples;
  }

  return {
    get length() {
      return length;
    },
    get isPause() {
      return isPause;
    },
    push(samples) {
      const from = gainAfter(concealed);
      concealed = 0;
      append(from === 1 ? samples : ramp(samples, from, 1, fadeIn / ticksPerSample));
    },
    pushConcealed(samples, duration) {
      const from = gainAfter(concealed);
      concealed = samples ? concealed + duration : fadeOutEnd;
      const to = gainAfter(concealed);
      if (!samples || from === 0) append(new Int16Array(duration / ticksPerSample));
      else append(to === 1 ? samples : ramp(samples, from, to, samples.length));
    },
    pushSilence(duration) {
      concealed = fadeOutEnd;
      append(new Int16Array(duration / ticksPerSample));
    },
    shift() {
      length -= frame;
      const samples = shiftSamples();
      const level = rms(samples);
      isPause = level < Math.max(silentLevel, peak * pauseRatio);
      peak = Math.max(level, peak * peakDecay);
      return samples;
    },
  };
}

/** Applies a gain that changes linearly within the first `length` samples. */
function ramp(samples: Int16Array, from: number, to: number, length: number): Int16Array {
  return samples.map((sample, index) => sample * (index < length ? from + ((to - from) * index) / length : to));
}

function rms(samples: Int16Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / samples.length);
}
