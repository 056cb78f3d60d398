import type { AudioFrame } from "./frame.ts";

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
  const longest = Math.floor(sampleRate / 50);
  const samples = loudestPart(audio.samples, Math.round(sampleRate / 10));
  const compared = samples.length - longest;
  if (compared < longest) return undefined;
  const likeness = Float64Array.from({ length: longest + 1 }, (_, lag) => autocorrelation(samples, lag, compared));

  // Near lag 0 the sound resembles itself. The pitch is the first peak after that.
  let lag = 1;
  while (lag < longest && at(likeness, lag) > 0) lag++;
  const best = likeness.subarray(lag).reduce((most, value) => Math.max(most, value), 0);
  if (lag === longest || best < 0.5) return undefined;
  while (lag < longest && !(at(likeness, lag) > 0.9 * best && at(likeness, lag) >= at(likeness, lag + 1))) lag++;
  return sampleRate / (lag + vertex(at(likeness, lag - 1), at(likeness, lag), at(likeness, lag + 1)));
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

/** 1 when the sound equals itself `lag` samples later, 0 when the two are unrelated. */
function autocorrelation(samples: Int16Array, lag: number, count: number): number {
  let product = 0;
  let here = 0;
  let later = 0;
  for (let index = 0; index < count; index++) {
    const a = at(samples, index);
    const b = at(samples, index + lag);
    product += a * b;
    here += a * a;
    later += b * b;
  }
  return here === 0 || later === 0 ? 0 : product / Math.sqrt(here * later);
}

/** The position, from −0.5 to 0.5, of the peak of the parabola through three neighbors. */
function vertex(left: number, middle: number, right: number): number {
  const curve = left - 2 * middle + right;
  return curve === 0 ? 0 : (left - right) / (2 * curve);
}

function at(values: Int16Array | Float64Array, index: number): number {
  return values[index] ?? 0;
}
