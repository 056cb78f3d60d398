import { type AudioFrame, createResampler } from "@pipecat-ts/audio";
import { describe, expect, test } from "vitest";
import { leastProcessorMs } from "../../runner-core/src/test/processor-time.ts";
import { createPlayoutQueue, type PlayoutQueue } from "./playout-queue.ts";
import { steady } from "./test/fake-call.ts";

/** Takes all frames of a queue. */
function drain(queue: PlayoutQueue): AudioFrame[] {
  const frames: AudioFrame[] = [];
  for (let frame = queue.next("last"); frame; frame = queue.next("last")) frames.push(frame);
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
    expect(queue.next("full")).toBe(undefined);
    expect(queue.empty).toBe(false);
    queue.push(steady(2, 13));
    const frame = queue.next("full");
    expect([frame?.samples[0], frame?.samples[207], frame?.samples[208], frame?.samples[319]]).toEqual([1, 1, 2, 2]);
    expect(queue.next("full")).toBe(undefined);
    const last = queue.next("last");
    expect([last?.samples[95], last?.samples[96], last?.samples[319]]).toEqual([2, 0, 0]);
    expect(queue.next("last")).toBe(undefined);
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

  test("continues the resampler's stream after padding, and pads no frame whose audio is complete", () => {
    const queue = createPlayoutQueue([8_000], 20);
    const samples = Int16Array.from({ length: 960 }, (_, index) => 8_000 * Math.sin(index / 7));
    const push = (from: number, to: number) =>
      queue.push({ samples: samples.subarray(from, to), sampleRate: 16_000, channels: 1 });
    push(0, 480);
    const first = queue.next("full")?.samples ?? new Int16Array(0);
    const padded = queue.next("padded")?.samples ?? new Int16Array(0);
    push(480, 960);
    const rest = queue.next("full")?.samples ?? new Int16Array(0);
    const resampled = createResampler({ fromRate: 16_000, toRate: 8_000 }).process(samples);
    // 8 ms of 30 are in the resampler: 20 were sent, and 2 are followed by 18 of silence.
    expect([...first, ...padded.subarray(0, 16), ...rest]).toEqual([...resampled.subarray(0, 336)]);
    expect([...padded.subarray(16)]).toEqual(Array(144).fill(0));
  });

  test("does not count audio in the resampler as taken", () => {
    const queue = createPlayoutQueue([8_000], 20);
    queue.push(steady(1, 100, 16_000));
    for (const takenMs of [20, 40, 60, 80]) {
      queue.next("full");
      expect(queue.takenMs).toBeCloseTo(takenMs, 6);
    }
    queue.next("last");
    expect(queue.takenMs).toBeCloseTo(100, 6);
  });

  test("processes a frame of 10 minutes in pieces", async () => {
    const queue = createPlayoutQueue([24_000], 20);
    queue.push({ samples: new Int16Array(600 * 16_000), sampleRate: 16_000, channels: 1 });
    expect(await leastProcessorMs(() => queue.next("full"))).toBeLessThan(100);
    expect(queue.takenMs).toBeLessThan(90); // after three rounds
  });

  test("drops everything when it is cleared", () => {
    const queue = createPlayoutQueue([16_000, 24_000], 20);
    const next = steady(9, 20);
    for (const leave of [
      () => queue.push(steady(1, 100)),
      () => {
        queue.push(steady(1, 13));
        queue.next("full"); // a partial frame
      },
      () => {
        queue.push(steady(8_000, 30, 8_000));
        queue.next("full"); // the resampler's tail
      },
      () => {
        queue.push(steady(8_000, 41, 8_000));
        queue.next("last");
        queue.next("last"); // a complete frame: the tail has filled one and started another
      },
      () => {
        queue.push(steady(1, 100));
        queue.next("full"); // a frame that was taken in part
      },
    ]) {
      leave();
      expect(queue.empty).toBe(false);
      queue.clear();
      expect(queue.empty).toBe(true);
      expect(queue.takenMs).toBe(queue.endMs);
      expect(queue.next("last")).toBe(undefined);
      queue.push(next);
      expect(queue.next("full")?.samples).toEqual(next.samples);
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
    queue.next("full");
    await null;
    expect(open).toBe(false);
    queue.next("full");
    await room;
  });
});
