import { encodeAudio } from "../packages/runner-websocket/src/codec.ts";

const sampleRate = 16_000;

/** One message as a Pipecat WebSocket client sends it: mono PCM16 at 16,000 Hz, a quiet 400 Hz tone. */
export function callerFrame(frameMs: number): Uint8Array {
  const samples = Int16Array.from({ length: (sampleRate * frameMs) / 1000 }, (_, n) => {
    return 3_000 * Math.sin((2 * Math.PI * 400 * n) / sampleRate);
  });
  return encodeAudio({ samples, sampleRate, channels: 1 });
}
