const sampleRate = 24_000;
const notes = [
  { hz: 523.25, startMs: 0 },
  { hz: 659.26, startMs: 80 },
  { hz: 783.99, startMs: 160 },
];
const noteMs = 240;
const lengthMs = 400;

/** A soft C major chord, note by note, in 400 ms. */
export async function* chime() {
  const samples = new Int16Array((lengthMs / 1000) * sampleRate);
  for (const { hz, startMs } of notes) {
    const first = (startMs / 1000) * sampleRate;
    const length = (noteMs / 1000) * sampleRate;
    for (let n = 0; n < length; n++) {
      const fadeIn = Math.min(1, n / (0.005 * sampleRate));
      const ringOut = (1 - n / length) ** 2;
      const tone = Math.sin((2 * Math.PI * hz * n) / sampleRate);
      samples[first + n] = (samples[first + n] ?? 0) + 5_000 * fadeIn * ringOut * tone;
    }
  }
  yield { samples, sampleRate, channels: 1 };
}
