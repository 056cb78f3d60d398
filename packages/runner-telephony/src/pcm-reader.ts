import { decodePcm16 } from "@pipecat-ts/audio";

/**
 * Reads 16-bit little-endian PCM that may be cut anywhere: half a sample at the end of one piece waits for the next, or
 * all that follows would be noise.
 */
export function createPcmReader(): (bytes: Buffer) => Int16Array {
  let half: Buffer | undefined;
  return (bytes) => {
    const whole = half ? Buffer.concat([half, bytes]) : bytes;
    half = whole.length % 2 === 1 ? Buffer.from(whole.subarray(-1)) : undefined;
    return decodePcm16(whole);
  };
}
