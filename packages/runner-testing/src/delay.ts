import type { AudioFrame } from "@pipecat-ts/audio";

/** Where in a recording a sound was found. */
export interface Match {
  /** From the start of the recording to the start of the sound, in ms. */
  readonly delayMs: number;
  /** How alike the two are: 1 is the same but for loudness, 0 has nothing in common, −1 is turned over. */
  readonly correlation: number;
}

/**
 * Finds `sound` in `recording`: the place where the two are most alike. Both mono and of one rate. Use a `sweep` or speech: a
 * steady tone fits itself once every period. `undefined` when the recording is shorter than the sound.
 */
export function findSound(sound: AudioFrame, recording: AudioFrame): Match | undefined {
  if (sound.sampleRate !== recording.sampleRate)
    throw new RangeError(`Cannot find ${sound.sampleRate} Hz audio in ${recording.sampleRate} Hz: resample it first.`);
  const wanted = sound.samples;
  const heard = recording.samples;
  const energy = wanted.reduce((sum, sample) => sum + sample * sample, 0);
  let best: Match | undefined;
  for (let start = 0; start + wanted.length <= heard.length; start++) {
    let product = 0;
    let power = 0;
    for (let index = 0; index < wanted.length; index++) {
      const sample = heard[start + index] ?? 0;
      product += (wanted[index] ?? 0) * sample;
      power += sample * sample;
    }
    const correlation = product === 0 ? 0 : product / Math.sqrt(energy * power);
    if (correlation > (best?.correlation ?? -2)) best = { delayMs: (start / recording.sampleRate) * 1000, correlation };
  }
  return best;
}
