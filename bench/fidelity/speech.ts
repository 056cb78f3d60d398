import { createResampler } from "@pipecat-ts/audio";

const generatedRate = 48_000;
/** Duration of one syllable, in s. */
const syllableSeconds = 0.22;
/** Formants of the vowels a, e, i, o and u in Hz: the resonances that distinguish them (Peterson & Barney, 1952, rounded). */
const vowels = [
  [730, 1_090, 2_440, 3_500, 4_500],
  [530, 1_840, 2_480, 3_500, 4_500],
  [270, 2_290, 3_010, 3_500, 4_500],
  [570, 840, 2_410, 3_500, 4_500],
  [300, 870, 2_240, 3_500, 4_500],
] as const;

/** Level of the noise relative to the voice: −20 dB, as in recordings. */
const consonantLevel = 0.1;

/**
 * 7 s of generated sound with the properties of speech that codecs and resamplers react to: a glottal pulse with a changing
 * pitch, formants that glide from vowel to vowel, noise like "s" and "f" up to 8 kHz, short stops, and two pauses. Its
 * peaks are at −6 dBFS.
 */
export function generateSpeech(sampleRate: number): Int16Array {
  const random = createRandom(7);
  const resonators = vowels[0].map(createResonator);
  const hiss = [createResonator(), createResonator()];
  const voiced = new Float64Array(7 * generatedRate);
  const unvoiced = new Float64Array(voiced.length);
  let phase = 0;
  let lastPulse = 0;
  for (let index = 0; index < voiced.length; index++) {
    const seconds = index / generatedRate;
    const syllable = Math.floor(seconds / syllableSeconds);
    const position = seconds / syllableSeconds - syllable; // from 0 to 1
    const [from, to] = [vowelOf(syllable), vowelOf(syllable + 1)];
    const glide = Math.max(0, position - 0.6) / 0.4;

    const pitch = 130 + 25 * Math.sin(1.7 * seconds) - 40 * ((seconds % 2.4) / 2.4);
    phase = (phase + pitch / generatedRate) % 1;
    const pulse = phase < 0.4 ? Math.sin((Math.PI * phase) / 0.4) ** 2 * (phase < 0.3 ? 1 : -2) : 0;
    let voice = pulse - 0.98 * lastPulse; // the lips radiate high frequencies better
    lastPulse = pulse;
    for (const [formant, resonate] of resonators.entries()) {
      const hz = (from[formant] ?? 0) * (1 - glide) + (to[formant] ?? 0) * glide;
      voice = resonate(voice, hz, 60 + 40 * formant);
    }
    let noise = random() - 0.5;
    for (const [band, resonate] of hiss.entries()) noise = resonate(noise, 5_500 + 1_000 * band, 1_500);

    const isPause = seconds % 3 > 2.6;
    const consonant = syllable % 3 === 0 ? 0 : bell(position, 0.1, 0.12);
    const vowel = bell(position, 0.62, 0.36);
    if (isPause) continue;
    voiced[index] = vowel * voice;
    unvoiced[index] = consonant * noise;
  }
  const noiseGain = (consonantLevel * rms(voiced)) / rms(unvoiced);
  const sound = voiced.map((sample, index) => sample + noiseGain * (unvoiced[index] as number));
  const peak = sound.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  const samples = Int16Array.from(sound, (sample) => (sample / peak) * 16_384);
  if (sampleRate === generatedRate) return samples;
  return resample(samples, generatedRate, sampleRate);
}

/** Resamples a whole recording. */
export function resample(samples: Int16Array, fromRate: number, toRate: number): Int16Array {
  const resampler = createResampler({ fromRate, toRate });
  const [body, tail] = [resampler.process(samples), resampler.flush()];
  const resampled = new Int16Array(body.length + tail.length);
  resampled.set(body);
  resampled.set(tail, body.length);
  return resampled;
}

function rms(samples: Float64Array): number {
  return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
}

function vowelOf(syllable: number): (typeof vowels)[number] {
  return vowels[(syllable * 3 + Math.floor(syllable / 4)) % vowels.length] ?? vowels[0];
}

/** A smooth rise and fall around `center`, `width` to each side. */
function bell(position: number, center: number, width: number): number {
  const distance = Math.abs(position - center) / width;
  return distance > 1 ? 0 : Math.cos((Math.PI / 2) * distance) ** 2;
}

/** A two-pole resonator, whose frequency and bandwidth in Hz may change with every sample. */
function createResonator(): (sample: number, hz: number, bandwidth: number) => number {
  let last = 0;
  let before = 0;
  return (sample, hz, bandwidth) => {
    const radius = Math.exp((-Math.PI * bandwidth) / generatedRate);
    const cosine = Math.cos((2 * Math.PI * hz) / generatedRate);
    const gain = 1 - 2 * radius * cosine + radius * radius; // 1 at 0 Hz
    const value = gain * sample + 2 * radius * cosine * last - radius * radius * before;
    before = last;
    last = value;
    return value;
  };
}

/** Pseudo-random numbers from 0 to 1: the same for every run. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
