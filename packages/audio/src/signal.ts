import type { AudioFrame } from "./frame.ts";

/** Options of a generated sound. */
export interface SignalOptions {
  readonly durationMs: number;
  /** Samples per second, in Hz. Default 16,000. */
  readonly sampleRate?: number;
  /** Root mean square in dB of full scale (dBFS): a full-scale sine is −3.01. Default −15. */
  readonly levelDb?: number;
}

/** A steady sine of `hz`. Both ends fade over 5 ms to prevent clicks. */
export function tone(hz: number, options: SignalOptions): AudioFrame {
  return synthesize(options, (seconds) => Math.sin(2 * Math.PI * hz * seconds), steady(options.durationMs));
}

/**
 * A voice-like sound of pitch `hz`: a tone with two harmonics whose volume rises and falls `perSecond` times a second
 * (default 2.5). Noise suppression attenuates a steady tone, but not this. `levelDb` is the level of the whole sound.
 */
export function syllables(hz: number, options: SignalOptions & { readonly perSecond?: number }): AudioFrame {
  const perSecond = options.perSecond ?? 2.5;
  return synthesize(
    options,
    (seconds) => {
      const turn = 2 * Math.PI * hz * seconds;
      return Math.sin(turn) + 0.5 * Math.sin(2 * turn) + 0.25 * Math.sin(3 * turn);
    },
    (seconds) => Math.sin(Math.PI * perSecond * seconds) ** 2,
  );
}

/** A sine that rises from `fromHz` to `toHz`. Unlike a tone, it matches itself at one place only, so `findSound` can measure its delay. */
export function sweep(fromHz: number, toHz: number, options: SignalOptions): AudioFrame {
  const rise = (toHz - fromHz) / (options.durationMs / 1000);
  return synthesize(
    options,
    (seconds) => Math.sin(2 * Math.PI * (fromHz * seconds + (rise * seconds * seconds) / 2)),
    steady(options.durationMs),
  );
}

/** Digital silence. */
export function silence(options: Omit<SignalOptions, "levelDb">): AudioFrame {
  return mono(new Int16Array(lengthOf(options)), options.sampleRate);
}

/** Cuts `audio` into frames of `frameMs` (default 20 ms). The last frame is padded with silence. */
export function cut(audio: AudioFrame, frameMs = 20): AudioFrame[] {
  const size = Math.round((audio.sampleRate * frameMs) / 1000) * audio.channels;
  return Array.from({ length: Math.ceil(audio.samples.length / size) }, (_, index) => {
    const samples = new Int16Array(size);
    samples.set(audio.samples.subarray(index * size, (index + 1) * size));
    return { ...audio, samples };
  });
}

/** Concatenates frames, which must all have the same rate and channels. Without frames the result is empty, at 16,000 Hz. */
export function join(frames: readonly AudioFrame[]): AudioFrame {
  const { sampleRate, channels } = frames[0] ?? { sampleRate: 16_000, channels: 1 };
  const samples = new Int16Array(frames.reduce((total, frame) => total + frame.samples.length, 0));
  let offset = 0;
  for (const frame of frames) {
    if (frame.sampleRate !== sampleRate || frame.channels !== channels)
      throw new RangeError(
        `Cannot join ${frame.sampleRate} Hz × ${frame.channels} to ${sampleRate} Hz × ${channels}: resample it first.`,
      );
    samples.set(frame.samples, offset);
    offset += frame.samples.length;
  }
  return { samples, sampleRate, channels };
}

/** The part of mono `audio` from `fromMs` to `toMs`. */
export function excerpt(audio: AudioFrame, fromMs: number, toMs: number = Number.POSITIVE_INFINITY): AudioFrame {
  const at = (ms: number) => Math.round((Math.min(Math.max(0, ms), 1e9) * audio.sampleRate) / 1000);
  return { ...audio, samples: audio.samples.slice(at(fromMs), at(toMs)) };
}

function synthesize(
  options: SignalOptions,
  wave: (seconds: number) => number,
  envelope: (seconds: number) => number,
): AudioFrame {
  const sampleRate = options.sampleRate ?? 16_000;
  const values = new Float64Array(lengthOf(options));
  let energy = 0;
  for (let index = 0; index < values.length; index++) {
    const seconds = index / sampleRate;
    const value = wave(seconds) * envelope(seconds);
    values[index] = value;
    energy += value * value;
  }
  const rms = Math.sqrt(energy / Math.max(1, values.length));
  const gain = rms === 0 ? 0 : (32_768 * 10 ** ((options.levelDb ?? -15) / 20)) / rms;
  const samples = new Int16Array(values.length);
  for (const [index, value] of values.entries())
    samples[index] = Math.max(-32_768, Math.min(32_767, Math.round(value * gain)));
  return mono(samples, sampleRate);
}

function steady(durationMs: number): (seconds: number) => number {
  const fadeSeconds = 0.005;
  return (seconds) => Math.max(0, Math.min(1, seconds / fadeSeconds, (durationMs / 1000 - seconds) / fadeSeconds));
}

function lengthOf({ durationMs, sampleRate = 16_000 }: SignalOptions): number {
  return Math.round((durationMs * sampleRate) / 1000);
}

function mono(samples: Int16Array, sampleRate = 16_000): AudioFrame {
  return { samples, sampleRate, channels: 1 };
}
