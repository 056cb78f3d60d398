import type { AudioFrame } from "./frame.ts";
import { resample } from "./resampler.ts";

/** The root mean square of `audio` in dB of full scale (dBFS): a full-scale sine is −3.01, silence −Infinity. */
export function measureLevel(audio: AudioFrame): number {
  return decibels(meanSquare(audio.samples));
}

/**
 * The level of a tone of `hz` in mono `audio`, in dBFS, by the Goertzel algorithm. For a pure tone it equals `measureLevel`;
 * tones more than 1000 / duration-in-ms Hz away contribute almost nothing.
 */
export function measureTone(audio: AudioFrame, hz: number): number {
  const { samples, sampleRate } = audio;
  const turn = (2 * Math.PI * hz) / sampleRate;
  const coefficient = 2 * Math.cos(turn);
  let last = 0;
  let before = 0;
  for (const sample of samples) [last, before] = [sample + coefficient * last - before, last];
  const power = last * last + before * before - coefficient * last * before;
  return decibels((2 * power) / Math.max(1, samples.length) ** 2);
}

/**
 * Where in mono `audio` the first sound starts and the last one ends, in ms from the start: 5 ms windows of at least
 * `thresholdDb` (dBFS). `undefined` when all of it is silence.
 */
export function findVoice(
  audio: AudioFrame,
  thresholdDb = -45,
): { readonly fromMs: number; readonly toMs: number } | undefined {
  const loud = loudWindows(audio, thresholdDb);
  const first = loud.indexOf(true);
  if (first === -1) return undefined;
  return { fromMs: first * windowMs, toMs: (loud.lastIndexOf(true) + 1) * windowMs };
}

/** Silence inside speech. */
export interface Gap {
  /** From the start of the audio, in ms. */
  readonly atMs: number;
  readonly durationMs: number;
}

/**
 * The gaps in the speech of mono `audio`: at least `minimumMs` (default 10) below `thresholdDb` (default −45 dBFS), with a
 * resolution of 5 ms. Silence before the first sound and after the last is not a gap.
 */
export function findGaps(
  audio: AudioFrame,
  options: { readonly thresholdDb?: number; readonly minimumMs?: number } = {},
): Gap[] {
  const loud = loudWindows(audio, options.thresholdDb ?? -45);
  const gaps: Gap[] = [];
  let end = loud.indexOf(true);
  for (let index = end; index >= 0 && index < loud.length; index++) {
    if (!loud[index]) continue;
    const durationMs = (index - end) * windowMs;
    if (durationMs >= (options.minimumMs ?? 10)) gaps.push({ atMs: end * windowMs, durationMs });
    end = index + 1;
  }
  return gaps;
}

/**
 * The pitch of mono `audio` in Hz, by autocorrelation of its loudest 100 ms. Accurate to 0.5 % from 60 to 1,000 Hz, with or
 * without harmonics. `undefined` for silence, noise and other sounds that are not periodic.
 */
export function measurePitch(audio: AudioFrame): number | undefined {
  const { sampleRate } = audio;
  // The period of a high pitch has few samples, and its multiples may be closer to a whole number of them.
  if (sampleRate < roughRate) return measurePitch(resample(audio, roughRate));
  const samples = loudestPart(audio.samples, Math.round(sampleRate / 10));
  const longest = Math.floor(sampleRate / 50);
  const compared = samples.length - longest;
  if (compared < longest) return undefined;
  // Comparing all samples at all lags would take 10 ms at 48,000 Hz.
  const factor = Math.floor(sampleRate / roughRate);
  const rough = firstPeak(averages(samples, factor), Math.floor(longest / factor));
  if (rough === undefined) return undefined;

  const from = Math.max(0, (rough - 1) * factor - 1);
  const likeness = autocorrelations(samples, compared, from, Math.min(longest, (rough + 1) * factor + 1));
  let best = 1;
  for (let index = 1; index < likeness.length - 1; index++) if (at(likeness, index) > at(likeness, best)) best = index;
  return sampleRate / (from + best + vertex(at(likeness, best - 1), at(likeness, best), at(likeness, best + 1)));
}

/** The lowest rate at which the lag of a pitch is searched first, in Hz. */
const roughRate = 16_000;

/** The first lag, up to `longest`, at which a sound resembles itself. `undefined` when it does not. */
function firstPeak(samples: Int16Array, longest: number): number | undefined {
  const likeness = autocorrelations(samples, samples.length - longest, 0, longest);
  // Near lag 0 every sound resembles itself.
  let lag = 1;
  while (lag < longest && at(likeness, lag) > 0) lag++;
  const best = likeness.subarray(lag).reduce((most, value) => Math.max(most, value), 0);
  if (lag === longest || best < 0.5) return undefined;
  while (lag < longest && !(at(likeness, lag) > 0.9 * best && at(likeness, lag) >= at(likeness, lag + 1))) lag++;
  return lag;
}

/** The averages of every `count` samples. */
function averages(samples: Int16Array, count: number): Int16Array {
  if (count === 1) return samples;
  return Int16Array.from({ length: Math.floor(samples.length / count) }, (_, index) => {
    let sum = 0;
    for (let offset = 0; offset < count; offset++) sum += at(samples, index * count + offset);
    return sum / count;
  });
}

/** Where a recording contains a sound. */
export interface Match {
  /** From the start of the recording to the start of the sound, in ms. */
  readonly delayMs: number;
  /** 1: identical except for the level; 0: unrelated; −1: inverted. */
  readonly correlation: number;
}

/**
 * Finds the place in `recording` that resembles `sound` most. Both must be mono and have the same rate. Use a `sweep` or
 * speech: a steady tone matches once in every period. `undefined` when the recording is shorter than the sound.
 */
export function findSound(sound: AudioFrame, recording: AudioFrame): Match | undefined {
  if (sound.sampleRate !== recording.sampleRate)
    throw new RangeError(`Cannot find ${sound.sampleRate} Hz audio in ${recording.sampleRate} Hz: resample it first.`);
  const wanted = sound.samples;
  const recorded = recording.samples;
  const energy = wanted.reduce((sum, sample) => sum + sample * sample, 0);
  let best: Match | undefined;
  for (let start = 0; start + wanted.length <= recorded.length; start++) {
    let product = 0;
    let power = 0;
    for (let index = 0; index < wanted.length; index++) {
      const sample = recorded[start + index] ?? 0;
      product += (wanted[index] ?? 0) * sample;
      power += sample * sample;
    }
    const correlation = product === 0 ? 0 : product / Math.sqrt(energy * power);
    if (correlation > (best?.correlation ?? -2)) best = { delayMs: (start / recording.sampleRate) * 1000, correlation };
  }
  return best;
}

const windowMs = 5;

function loudWindows({ samples, sampleRate }: AudioFrame, thresholdDb: number): boolean[] {
  const size = (sampleRate * windowMs) / 1000;
  return Array.from({ length: Math.ceil(samples.length / size) }, (_, index) => {
    const part = samples.subarray(Math.round(index * size), Math.round((index + 1) * size));
    return decibels(meanSquare(part)) >= thresholdDb;
  });
}

function meanSquare(samples: Int16Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return samples.length === 0 ? 0 : sum / samples.length;
}

function decibels(power: number): number {
  return power <= 0 ? Number.NEGATIVE_INFINITY : 10 * Math.log10(power / 32_768 ** 2);
}

function loudestPart(samples: Int16Array, size: number): Int16Array {
  const step = Math.max(1, size >> 3);
  let best = samples.subarray(0, size);
  let most = -1;
  for (let start = 0; start + size <= samples.length; start += step) {
    const part = samples.subarray(start, start + size);
    const energy = part.reduce((sum, sample) => sum + sample * sample, 0);
    if (energy > most) [best, most] = [part, energy];
  }
  return best;
}

/** For each lag: 1 when the first `compared` samples equal those `lag` samples later, 0 when the two are unrelated. */
function autocorrelations(samples: Int16Array, compared: number, fromLag: number, toLag: number): Float64Array {
  const energy = (start: number) =>
    samples.subarray(start, start + compared).reduce((sum, each) => sum + each * each, 0);
  const here = energy(0);
  let later = energy(fromLag);
  return Float64Array.from({ length: toLag - fromLag + 1 }, (_, index) => {
    const lag = fromLag + index;
    let product = 0;
    for (let position = 0; position < compared; position++)
      product += (samples[position] ?? 0) * (samples[position + lag] ?? 0);
    const likeness = here === 0 || later === 0 ? 0 : product / Math.sqrt(here * later);
    later += at(samples, lag + compared) ** 2 - at(samples, lag) ** 2;
    return likeness;
  });
}

/** The position, from −0.5 to 0.5, of the peak of the parabola through three neighbors. */
function vertex(left: number, middle: number, right: number): number {
  const curve = left - 2 * middle + right;
  return curve === 0 ? 0 : (left - right) / (2 * curve);
}

function at(values: Int16Array | Float64Array, index: number): number {
  return values[index] ?? 0;
}
