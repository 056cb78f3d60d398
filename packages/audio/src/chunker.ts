import { requireInteger } from "./range.ts";

/** Cuts a stream of samples that comes in pieces of any size into chunks of one size. */
export interface Chunker {
  /** How many samples wait for their chunk to fill. */
  readonly pending: number;
  /** Takes further samples; returns the chunks that are now full, in order. Each owns its memory. */
  push(samples: Int16Array): Int16Array<ArrayBuffer>[];
  /** Ends the stretch: returns what waits, with `pad` filled up with silence to a whole chunk, or `undefined` when nothing waits. */
  flush(pad?: boolean): Int16Array<ArrayBuffer> | undefined;
  /** Forgets what waits. */
  reset(): void;
}

/** A chunker whose chunks have `samplesPerChunk` samples: 320 for 20 ms at 16,000 Hz. Throws RangeError below 1. */
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
