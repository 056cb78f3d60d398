import { median } from "../figures.ts";

/** How well a recording matches what was said. */
export interface Judgment {
  /** Median signal-to-noise ratio of half a second, in dB. It says little about Opus, which does not keep the waveform. */
  readonly snrDb: number;
  /** Silence or jumps inside the speech: how often its delay changes by 2 ms or more, and by how much in total. */
  readonly holes: number;
  readonly holesMs: number;
  /** The part of the recording that matches the reference, equally long. */
  readonly aligned: Int16Array;
}

/** A piece quieter than this is a pause, and says nothing about delay or noise: −50 dBFS. */
const quietLevel = 100;
/** How far the delay of a piece may differ from that of the piece before, in s. */
const searchSeconds = 0.1;

/** Compares mono audio of one rate. Throws an Error when the recording does not contain the speech. */
export function judge(said: Int16Array, heard: Int16Array, sampleRate: number): Judgment {
  const size = sampleRate / 2;
  const pieces = Array.from({ length: Math.floor(said.length / size) }, (_, index) => index * size).filter(
    (start) => level(said, start, size) > quietLevel,
  );
  const [first] = pieces;
  if (first === undefined || heard.length < said.length) throw new Error("The recording is shorter than the speech.");
  let delay = findDelay(said, heard, first, size, -first, heard.length - size - first);
  const begin = Math.max(0, delay);
  const ratios: number[] = [];
  let holes = 0;
  let holesMs = 0;
  const reach = searchSeconds * sampleRate;
  for (const start of pieces) {
    const found = findDelay(said, heard, start, size, delay - reach, delay + reach);
    const movedMs = (Math.abs(found - delay) / sampleRate) * 1000;
    if (movedMs >= 2) {
      holes += 1;
      holesMs += movedMs;
    }
    delay = found;
    ratios.push(signalToNoise(said, heard, start, size, delay));
  }
  const aligned = new Int16Array(said.length);
  aligned.set(heard.subarray(begin, begin + said.length));
  return { snrDb: median(ratios), holes, holesMs, aligned };
}

/** The delay, in samples, at which a piece of `said` matches `heard` best. */
function findDelay(said: Int16Array, heard: Int16Array, start: number, size: number, from: number, to: number): number {
  let best = from;
  let most = Number.NEGATIVE_INFINITY;
  const end = Math.min(to, heard.length - size - start);
  let power = 0;
  for (let delay = Math.max(from, -start); delay <= end; delay++) {
    let product = 0;
    for (let index = start; index < start + size; index++)
      product += (said[index] as number) * (heard[index + delay] as number);
    if (power === 0) power = level(heard, start + delay, size) ** 2 * size + 1;
    else power += square(heard[start + size + delay - 1]) - square(heard[start + delay - 1]);
    const likeness = product / Math.sqrt(power);
    if (likeness > most) [best, most] = [delay, likeness];
  }
  return best;
}

function square(sample = 0): number {
  return sample * sample;
}

function signalToNoise(said: Int16Array, heard: Int16Array, start: number, size: number, delay: number): number {
  let signal = 0;
  let product = 0;
  let power = 1;
  for (let index = start; index < start + size; index++) {
    const [x, y] = [said[index] ?? 0, heard[index + delay] ?? 0];
    signal += x * x;
    product += x * y;
    power += y * y;
  }
  // The best gain does not count as noise: |x|² − (x·y)² / |y|² is what remains.
  return 10 * Math.log10(signal / Math.max(1, signal - product ** 2 / power));
}

function level(samples: Int16Array, start: number, size: number): number {
  let power = 0;
  for (let index = start; index < start + size; index++) power += (samples[index] as number) ** 2;
  return Math.sqrt(power / size);
}
