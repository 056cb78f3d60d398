import type { AudioFrame } from "@pipecat-ts/audio";

/** The two frequencies of each key, in Hz: ITU-T Q.23. */
const rows: Readonly<Record<string, number>> = { "123A": 697, "456B": 770, "789C": 852, "*0#D": 941 };
const columns: Readonly<Record<string, number>> = { "147*": 1_209, "2580": 1_336, "369#": 1_477, ABCD: 1_633 };

/** Duration of a tone and of the pause after it, in ms. Receivers need 40 each (ITU-T Q.24). */
const toneMs = 100;
const pauseMs = 100;
const sampleRate = 8_000;
/** Amplitude of each of the two sines, relative to full scale: −11 dBFS together, which G.711 does not clip. */
const amplitude = 0.28;
const fadeMs = 5;

/** The DTMF tones of `digits`, for carriers that cannot send DTMF: mono at 8,000 Hz. `w` is 500 ms of silence. */
export function dtmfTones(digits: string): AudioFrame {
  const parts = [...digits].map((digit) => (digit === "w" ? new Int16Array((sampleRate * 500) / 1000) : tones(digit)));
  const samples = new Int16Array(parts.reduce((total, part) => total + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    samples.set(part, offset);
    offset += part.length;
  }
  return { samples, sampleRate, channels: 1 };
}

function tones(digit: string): Int16Array {
  const [low, high] = [frequencyOf(digit, rows), frequencyOf(digit, columns)];
  const samples = new Int16Array(((toneMs + pauseMs) * sampleRate) / 1000);
  const toneSamples = (toneMs * sampleRate) / 1000;
  const fade = (fadeMs * sampleRate) / 1000;
  for (let index = 0; index < toneSamples; index++) {
    const phase = (2 * Math.PI * index) / sampleRate;
    const gain = Math.min(1, index / fade, (toneSamples - index) / fade);
    samples[index] = Math.round(32_767 * amplitude * gain * (Math.sin(low * phase) + Math.sin(high * phase)));
  }
  return samples;
}

function frequencyOf(digit: string, keys: Readonly<Record<string, number>>): number {
  return Object.entries(keys).find(([digits]) => digits.includes(digit))?.[1] ?? 0;
}
