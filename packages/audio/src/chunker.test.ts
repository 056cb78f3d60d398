import { describe, expect, it } from "vitest";
import { createChunker } from "./chunker.ts";
import { splitRandomly } from "./test/split-randomly.ts";

const counted = Int16Array.from({ length: 5_003 }, (_, index) => index);

describe("createChunker", () => {
  it.each([1, 7, 160, 320, 6_000])(
    "splits any pieces into chunks of %d samples, in order and without loss",
    (samplesPerChunk) => {
      for (let seed = 1; seed <= 50; seed++) {
        const chunker = createChunker(samplesPerChunk);
        const chunks = [...splitRandomly(counted, 1_000, seed)].flatMap((piece) => chunker.push(piece));
        expect(chunks.every((chunk) => chunk.length === samplesPerChunk)).toBe(true);
        expect(chunker.pending).toBe(counted.length % samplesPerChunk);
        const last = chunker.flush() ?? [];
        expect(chunks.flatMap((chunk) => [...chunk]).concat([...last])).toEqual([...counted]);
      }
    },
  );

  it("returns each chunk as soon as it is complete", () => {
    const chunker = createChunker(3);
    expect(chunker.push(Int16Array.of(1, 2))).toEqual([]);
    expect(chunker.push(Int16Array.of(3))).toEqual([Int16Array.of(1, 2, 3)]);
    expect(chunker.pending).toBe(0);
  });

  it("flushes the incomplete chunk, padded on request", () => {
    const chunker = createChunker(4);
    chunker.push(Int16Array.of(1, 2, 3, 4, 5));
    expect(chunker.flush()).toEqual(Int16Array.of(5));
    chunker.push(Int16Array.of(9, 9, 9, 9, 6, 7));
    expect(chunker.flush(true)).toEqual(Int16Array.of(6, 7, 0, 0));
    expect(chunker.flush()).toBeUndefined();
    expect(chunker.flush(true)).toBeUndefined();
  });

  it("starts a new chunk after flush and after reset", () => {
    const chunker = createChunker(2);
    chunker.push(Int16Array.of(1));
    chunker.flush();
    expect(chunker.push(Int16Array.of(2, 3))).toEqual([Int16Array.of(2, 3)]);
    chunker.push(Int16Array.of(4));
    chunker.reset();
    expect(chunker.pending).toBe(0);
    expect(chunker.push(Int16Array.of(5, 6))).toEqual([Int16Array.of(5, 6)]);
  });

  it("returns chunks that own their memory", () => {
    const chunker = createChunker(2);
    const piece = Int16Array.of(1, 2, 3);
    const [chunk] = chunker.push(piece);
    piece.fill(9);
    const flushed = chunker.flush();
    chunker.push(Int16Array.of(8, 8));
    expect([chunk, flushed]).toEqual([Int16Array.of(1, 2), Int16Array.of(3)]);
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])("rejects chunks of %d samples", (samplesPerChunk) => {
    expect(() => createChunker(samplesPerChunk)).toThrow(
      new RangeError(`samplesPerChunk: ${samplesPerChunk} is not an integer from 1 to 16777216.`),
    );
  });
});
