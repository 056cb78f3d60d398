import { requireInteger } from "./frame.ts";

/** Splits a stream of samples into chunks of equal size. */
export interface Chunker {
  /** The number of samples in the incomplete chunk. */
  readonly pending: number;
  /** Adds samples and returns the chunks that are now complete, in order. Each chunk owns its memory. */
  push(samples: Int16Array): Int16Array<ArrayBuffer>[];
  /** Returns the incomplete chunk and starts a new one. `pad` fills it with silence. Returns `undefined` if no samples are pending. */
  flush(pad?: boolean): Int16Array<ArrayBuffer> | undefined;
  /** Drops the incomplete chunk. */
  reset(): void;
}

/** Creates a chunker for chunks of `samplesPerChunk` samples, for example 320 for 20 ms at 16,000 Hz. Throws a RangeError below 1. */
export function createChunker(samplesPerChunk: number): Chunker {
  requireInteger("samplesPerChunk", samplesPerChunk, 1, 2 ** 24);
  let current = new Int16Array(samplesPerChunk);
  let filled = 0;

  return {
    get pending() {
      return filled;
    },
    push(samples) {
      const chunks: Int16Array<ArrayBuffer>[] = [];
      for (let taken = 0; taken < samples.length; ) {
        const piece = samples.subarray(taken, taken + samplesPerChunk - filled);
        current.set(piece, filled);
        taken += piece.length;
        filled += piece.length;
        if (filled < samplesPerChunk) break;
        chunks.push(current);
        current = new Int16Array(samplesPerChunk);
        filled = 0;
      }
      return chunks;
    },
    flush(pad = false) {
      if (filled === 0) return undefined;
      const last = current.slice(0, filled);
      filled = 0;
      if (!pad) return last;
      const padded = new Int16Array(samplesPerChunk);
      padded.set(last);
      return padded;
    },
    reset() {
      filled = 0;
    },
  };
}
