import type { AudioFrame } from "@pipecat-ts/audio";
import { describe, expect, test } from "vitest";
import { createPlayoutQueue, type PlayoutQueue } from "./playout-queue.ts";
import { steady } from "./test/fake-call.ts";

/** Takes all frames of a queue. */
function drain(queue: PlayoutQueue): AudioFrame[] {
  const frames: AudioFrame[] = [];
  for (let frame = queue.next(true); frame; frame = queue.next(true)) frames.push(frame);
  return frames;
}

function loudMs(frames: readonly AudioFrame[]): number {
  return frames.reduce(
    (sum, { samples, sampleRate }) => sum + (samples.filter((sample) => sample > 500).length / sampleRate) * 1000,
    0,
  );
}

describe("a playout queue", () => {
  test("keeps a partial frame until it is filled or padded", () => {
    const queue = createPlayoutQueue([16_000], 20);
    queue.push(steady(1, 13));
    expect(queue.next(false)).toBe(undefined);
    expect(queue.empty).toBe(false);
    queue.push(steady(2, 13));
    const frame = queue.next(false);
    expect([frame?.samples[0], frame?.samples[207], frame?.samples[208], frame?.samples[319]]).toEqual([1, 1, 2, 2]);
    expect(queue.next(false)).toBe(undefined);
    const last = queue.next(true);
    expect([last?.samples[95], last?.samples[96], last?.samples[319]]).toEqual([2, 0, 0]);
    expect(queue.next(true)).toBe(undefined);
    expect(queue.empty).toBe(true);
  });

  test("loses no sample to resampling, whatever the lengths of the frames", () => {
    for (const [fromRate, toRate] of [
      [8_000, 16_000],
      [24_000, 8_000],
      [44_100, 24_000],
      [16_000, 48_000],
    ] as const) {
      for (const pieceMs of [1, 7, 20, 33, 250]) {
        const queue = createPlayoutQueue([toRate], 20);
        let pushedMs = 0;
        for (; pushedMs < 490; pushedMs += pieceMs) queue.push(steady(1_000, pieceMs, fromRate));
        const frames = drain(queue);
        expect(frames.length).toBe(Math.ceil(queue.endMs / 20 - 1e-9));
        expect(Math.abs(loudMs(frames) - queue.endMs)).toBeLessThanOrEqual(0.5);
        expect(queue.takenMs).toBeCloseTo(queue.endMs, 6);
      }
    }
  });

  test("processes a frame of 10 minutes in pieces", () => {
    const queue = createPlayoutQueue([24_000], 20);
    queue.push({ samples: new Int16Array(600 * 16_000), sampleRate: 16_000, channels: 1 });
    const before = process.cpuUsage();
    queue.next(false);
    expect(process.cpuUsage(before).user).toBeLessThan(100_000); // µs
    expect(queue.takenMs).toBeLessThan(30);
  });

  test("drops everything when it is cleared", () => {
    const queue = createPlayoutQueue([16_000, 24_000], 20);
    const next = steady(9, 20);
    for (const leave of [
      () => queue.push(steady(1, 100)),
      () => {
        queue.push(steady(1, 13));
        queue.next(false); // a partial frame
      },
      () => {
        queue.push(steady(8_000, 30, 8_000));
        queue.next(false); // the resampler's tail
      },
      () => {
        queue.push(steady(8_000, 41, 8_000));
        queue.next(true);
        queue.next(true); // a complete frame: the tail has filled one and started another
      },
      () => {
        queue.push(steady(1, 100));
        queue.next(false); // a frame that was taken in part
      },
    ]) {
      leave();
      expect(queue.empty).toBe(false);
      queue.clear();
      expect(queue.empty).toBe(true);
      expect(queue.takenMs).toBe(queue.endMs);
      expect(queue.next(true)).toBe(undefined);
      queue.push(next);
      expect(queue.next(false)?.samples).toEqual(next.samples);
    }
  });

  test("has room again when at most 200 ms are queued", async () => {
    const queue = createPlayoutQueue([16_000], 20);
    queue.push(steady(1, 200));
    expect(queue.room()).toBe(undefined);
    queue.push(steady(1, 40));
    let open = false;
    const room = queue.room();
    void room?.then(() => (open = true));
    expect(queue.room()).toBe(room);
    queue.next(false);
    await null;
    expect(open).toBe(false);
    queue.next(false);
    await room;
  });
});
