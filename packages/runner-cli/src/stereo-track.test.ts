import type { AudioFrame } from "@pipecat-ts/audio";
import { describe, expect, test } from "vitest";
import { createStereoTrack } from "./stereo-track.ts";

function frame(value: number, ms = 20, sampleRate = 1_000): AudioFrame {
  return { samples: new Int16Array((ms * sampleRate) / 1000).fill(value), sampleRate, channels: 1 };
}

/** One channel as runs of equal samples. At 1,000 Hz, a sample is one millisecond. */
function runs(stereo: Int16Array, channel: 0 | 1): [value: number, ms: number][] {
  const found: [number, number][] = [];
  for (let index = channel; index < stereo.length; index += 2) {
    const sample = stereo[index] ?? 0;
    const last = found.at(-1);
    if (last?.[0] === sample) last[1] += 1;
    else found.push([sample, 1]);
  }
  return found;
}

describe("a stereo track", () => {
  test("places the first audio of a channel where it was heard, however early", () => {
    const track = createStereoTrack(1_000, 5_000);
    track.push(0, frame(1, 200), 5_000);
    track.push(1, frame(2, 100), 5_090);
    expect(runs(track.takeAll(), 1)).toEqual([
      [0, 90],
      [2, 100],
      [0, 10],
    ]);
  });

  test("places each channel where it was heard, and fills pauses with silence", () => {
    const track = createStereoTrack(1_000, 5_000);
    for (let ms = 0; ms < 1_000; ms += 20) track.push(0, frame(1), 5_000 + ms);
    for (let ms = 400; ms < 600; ms += 20) track.push(1, frame(2), 5_000 + ms);
    const stereo = track.takeAll();
    expect(runs(stereo, 0)).toEqual([[1, 1_000]]);
    expect(runs(stereo, 1)).toEqual([
      [0, 400],
      [2, 200],
      [0, 400],
    ]);
  });

  test("joins audio that comes early, late or in bursts without a gap", () => {
    const track = createStereoTrack(1_000, 0);
    const jitter = [0, 0, 0, 260, 260, 260, 260, 120];
    for (const atMs of jitter) track.push(0, frame(1), atMs);
    expect(runs(track.takeAll(), 0)).toEqual([[1, 160]]);
  });

  test("is taken in pieces: what both channels have, and silence for one that is late", () => {
    const track = createStereoTrack(1_000, 0);
    const pieces: number[] = [];
    let left: [number, number][] = [];
    for (let ms = 0; ms < 3_000; ms += 20) {
      track.push(0, frame(1), ms);
      if (ms % 1_000 !== 980) continue;
      const piece = track.take(ms + 20);
      pieces.push(piece.length / 2);
      left = left.concat(runs(piece, 0));
    }
    expect(pieces).toEqual([500, 1_000, 1_000]);
    expect(left.every(([value]) => value === 1)).toBe(true);
    expect(track.takeAll().length / 2).toBe(500);
    expect(track.takeAll().length).toBe(0);
  });

  test("converts other sample rates, and mixes stereo", () => {
    const track = createStereoTrack(16_000, 0);
    for (let ms = 0; ms < 200; ms += 20) {
      track.push(0, frame(1_000, 20, 24_000), ms);
      track.push(1, { samples: new Int16Array(640).fill(500), sampleRate: 16_000, channels: 2 }, ms);
    }
    const stereo = track.takeAll();
    expect(stereo.length / 2).toBe(3_200);
    const middle = stereo.subarray(3_000, 3_400);
    expect(middle.every((sample, index) => Math.abs(sample - (index % 2 === 0 ? 1_000 : 500)) <= 2)).toBe(true);
  });
});
