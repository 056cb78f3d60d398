import { loadOpus } from "../../packages/runner-webrtc/src/voice/opus.ts";

const sampleRate = 48_000;

/** Every so many packets of `markedVoice` begin with one that is loud. */
export const markEvery = 25;

/**
 * What callers say, over and over, in Opus packets of 20 ms: 2 s of a hum at −40 dBFS that is 30 dB louder for every 25th
 * packet. A loud packet is told from the others wherever it comes out, after any number of codecs.
 */
export async function markedVoice(): Promise<Uint8Array[]> {
  const encoder = await (await loadOpus()).createEncoder({ sampleRate });
  const length = sampleRate / 50;
  const packets = Array.from({ length: 4 * markEvery }, (_, packet) => {
    const level = packet % markEvery === 0 ? 0.32 : 0.01;
    return encoder.encode(
      Int16Array.from({ length }, (_, n) => {
        const second = (packet * length + n) / sampleRate;
        return 32_767 * level * (Math.sin(2 * Math.PI * 300 * second) + 0.4 * Math.sin(2 * Math.PI * 1_130 * second));
      }),
    );
  });
  encoder.free();
  return packets;
}

/** Tells when a loud packet begins, of packets given in the order they come. */
export async function createMarkFinder(): Promise<(packet: Uint8Array) => boolean> {
  const decoder = await (await loadOpus()).createDecoder({ sampleRate });
  let wasLoud = false;
  return (packet) => {
    const samples = decoder.decode(packet) ?? new Int16Array(1);
    const level = Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
    const isLoud = level > 1_500;
    const begins = isLoud && !wasLoud;
    wasLoud = isLoud;
    return begins;
  };
}

/** Calls back every 20 ms on the whole, for each of `count` speakers in turn, spread over that time as people who dialled by themselves are. */
export function speakInTurn(count: () => number, speak: (speaker: number, packet: number) => void): () => void {
  const start = performance.now();
  let spoken = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - start) / 20) * count());
    for (; spoken < due; spoken++) speak(spoken % count(), Math.floor(spoken / count()));
  }, 1);
  return () => clearInterval(timer);
}
