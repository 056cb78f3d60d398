import type { AudioFrame } from "@pipecat-ts/audio";

/** The root mean square of `audio` in dB of full scale (dBFS): a sine at full swing is −3.01, silence −Infinity. */
export function measureLevel(audio: AudioFrame): number {
  return decibels(meanSquare(audio.samples));
}

/**
 * How much of `audio` is a tone of `hz`, in dBFS, by the Goertzel algorithm. For a pure tone it equals `measureLevel`; a
 * tone farther than 1000 / duration-in-ms Hz away hardly counts. Mono.
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

/** How far from the start of mono `audio` the first and the last sound are that reach `thresholdDb` (dBFS over 5 ms), in ms; `undefined` when all is silence. */
export function findVoice(
  audio: AudioFrame,
  thresholdDb = -45,
): { readonly fromMs: number; readonly toMs: number } | undefined {
  const loud = loudWindows(audio, thresholdDb);
  const first = loud.indexOf(true);
  if (first === -1) return undefined;
  return { fromMs: first * windowMs, toMs: (loud.lastIndexOf(true) + 1) * windowMs };
}

/** A silence inside speech. */
export interface Gap {
  /** From the start of the audio, in ms. */
  readonly atMs: number;
  readonly durationMs: number;
}

/**
 * The silences inside the speech of mono `audio`: stretches of at least `minimumMs` (default 10) below `thresholdDb` (default
 * −45 dBFS), resolved to 5 ms. What comes before the first sound and after the last is none.
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
