/**
 * Decoded sound on its way out in frames of 20 ms. Durations are in samples at 48,000 Hz, whatever the rate of the sound: 960 are
 * a frame.
 */
export interface SoundQueue {
  /** How much waits. */
  readonly held: number;
  /** Puts real sound at the end. */
  add(samples: Int16Array): void;
  /** Puts a guess at the end, which fades the longer guesses follow each other; silence of the duration without one. */
  guess(samples: Int16Array | undefined, duration: number): void;
  silence(duration: number): void;
  /** The next frame. `held` must reach to it. */
  take(): Int16Array;
  /** Whether the frame last taken is silent, or quiet beside those before it. */
  readonly quiet: boolean;
}

const frame = 960;
/** Guesses are as loud as they come for so long, and gone after so long. */
const fadesAfter = 3 * frame;
const fadedAfter = 6 * frame;
/** What comes after sound that had faded is let in over so much. */
const fadeIn = 240;
/** About −50 dBFS: quiet in any case. */
const quietLevel = 100;
/** A frame 20 dB below what was heard in the last seconds is a pause. */
const quietShare = 0.1;
const forgetting = 0.99;

export function createSoundQueue(sampleRate: number): SoundQueue {
  const perSample = 48_000 / sampleRate;
  const frameSamples = sampleRate / 50;
  const pieces: Int16Array[] = [];
  let held = 0;
  let guessed = 0;
  let loudest = 0;
  let quiet = true;

  function put(samples: Int16Array): void {
    pieces.push(samples);
    held += samples.length * perSample;
  }

  function gainAfter(duration: number): number {
    return Math.min(1, Math.max(0, (fadedAfter - duration) / (fadedAfter - fadesAfter)));
  }

  function takeSamples(): Int16Array {
    const [first] = pieces;
    if (first?.length === frameSamples) {
      pieces.shift();
      return first;
    }
    const samples = new Int16Array(frameSamples);
    for (let filled = 0; filled < frameSamples; ) {
      const piece = pieces[0] ?? new Int16Array(frameSamples);
      const part = piece.subarray(0, frameSamples - filled);
      samples.set(part, filled);
      filled += part.length;
      if (part.length === piece.length) pieces.shift();
      else pieces[0] = piece.subarray(part.length);
    }
    return samples;
  }

  return {
    get held() {
      return held;
    },
    get quiet() {
      return quiet;
    },
    add(samples) {
      const from = gainAfter(guessed);
      guessed = 0;
      put(from === 1 ? samples : ramp(samples, from, 1, fadeIn / perSample));
    },
    guess(samples, duration) {
      const from = gainAfter(guessed);
      guessed = samples ? guessed + duration : fadedAfter;
      const to = gainAfter(guessed);
      if (!samples || from === 0) put(new Int16Array(duration / perSample));
      else put(to === 1 ? samples : ramp(samples, from, to, samples.length));
    },
    silence(duration) {
      guessed = fadedAfter;
      put(new Int16Array(duration / perSample));
    },
    take() {
      held -= frame;
      const samples = takeSamples();
      const level = levelOf(samples);
      quiet = level < Math.max(quietLevel, loudest * quietShare);
      loudest = Math.max(level, loudest * forgetting);
      return samples;
    },
  };
}

/** The samples with a gain that goes from one to the other within the first `length` of them. */
function ramp(samples: Int16Array, from: number, to: number, length: number): Int16Array {
  return samples.map((sample, index) => sample * (index < length ? from + ((to - from) * index) / length : to));
}

function levelOf(samples: Int16Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / samples.length);
}
