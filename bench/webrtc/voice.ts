import { cut, syllables } from "@pipecat-ts/runner-testing";
import { loadOpus } from "../../packages/runner-webrtc/src/voice/opus.ts";

const sampleRate = 48_000;
/** Below the RMS level of half a loud packet, and above that of any other. */
const loudLevel = 2_000;

/** Every 25th packet is loud. */
export const markEvery = 25;
const periods = 8;

/**
 * 4 s of quiet syllables in Opus packets of 20 ms. Every 25th packet is a mark: 20 dB louder, to be found in the
 * echo after any number of codecs.
 */
export async function markedVoice(): Promise<Uint8Array[]> {
  const encoder = await (await loadOpus()).createEncoder({ sampleRate, bitrate: 32_000, fec: true }); // as Chromium does
  const frames = cut(syllables(150, { durationMs: periods * markEvery * 20, sampleRate }));
  const packets = frames.map(({ samples }, packet) => {
    const mark = packet % markEvery === 0;
    return encoder.encode(
      samples.map((sample, n) => sample / 10 + (mark ? 10_000 * Math.sin((2 * Math.PI * 700 * n) / sampleRate) : 0)),
    );
  });
  encoder.free();
  return packets;
}

/** Finds the marks in the packets of a call, which must be passed in order. */
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

/** Calls `speak` every 20 ms for each of `count` speakers, spread over the 20 ms like independent callers. Returns a function that stops it. */
export function speakInTurn(count: () => number, speak: (speaker: number, packet: number) => void): () => void {
  const start = performance.now();
  let spoken = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - start) / 20) * count());
    for (; spoken < due; spoken++) speak(spoken % count(), Math.floor(spoken / count()));
  }, 1);
  return () => clearInterval(timer);
}
