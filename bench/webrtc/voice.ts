import { cut, syllables } from "@pipecat-ts/runner-testing";
import { loadOpus } from "../../packages/runner-webrtc/src/voice/opus.ts";

const sampleRate = 48_000;
/** The root mean square of at least half a loud packet, and of no other. */
const loudLevel = 2_000;

/** Every so many packets begin with one that is loud. */
export const markEvery = 25;
const periods = 8;

/**
 * What callers say, over and over, in Opus packets of 20 ms: 4 s of quiet syllables, which are 20 dB louder for every 25th
 * packet. A loud packet is told from the others wherever it comes out, after any number of codecs.
 */
export async function markedVoice(): Promise<Uint8Array[]> {
  const encoder = await (await loadOpus()).createEncoder({ sampleRate });
  const said = cut(syllables(150, { durationMs: periods * markEvery * 20, sampleRate }));
  const packets = said.map(({ samples }, packet) => {
    const mark = packet % markEvery === 0;
    return encoder.encode(
      samples.map((sample, n) => sample / 10 + (mark ? 10_000 * Math.sin((2 * Math.PI * 700 * n) / sampleRate) : 0)),
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
    const isLoud = level > loudLevel;
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
