import { createPacer } from "@pipecat-ts/runner-media";
import { beforeEach, describe, expect, test } from "vitest";
import { createReorderBuffer, type ReorderBuffer } from "./reorder-buffer.ts";

const sampleRate = 1_000; // one sample is 1 ms
let nowMs: number;
let timers: { atMs: number; callback: () => void }[];
let buffer: ReorderBuffer;
let output: number[];

beforeEach(() => {
  nowMs = 0;
  timers = [];
  output = [];
  const clock = {
    now: () => nowMs,
    after(delayMs: number, callback: () => void) {
      const timer = { atMs: nowMs + delayMs, callback };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
  };
  buffer = createReorderBuffer({
    pacer: createPacer({ clock }),
    sampleRate,
    output: (frame) => void output.push(...frame.samples),
  });
});

/** Advances the clock timer by timer. */
function pass(ms: number): void {
  const endMs = nowMs + ms;
  for (;;) {
    const due = timers.toSorted((a, b) => a.atMs - b.atMs)[0];
    if (!due || due.atMs > endMs) break;
    timers = timers.filter((timer) => timer !== due);
    nowMs = Math.max(nowMs, due.atMs);
    due.callback();
  }
  nowMs = endMs;
}

/** 20 ms of `value`. */
function piece(value: number, at: { timestampMs?: number; sequence?: number } = {}): void {
  buffer.push({ samples: new Int16Array(20).fill(value), ...at });
}

function runs(): [value: number, ms: number][] {
  const found: [number, number][] = [];
  for (const value of output) {
    const last = found.at(-1);
    if (last?.[0] === value) last[1] += 1;
    else found.push([value, 1]);
  }
  return found;
}

describe("sequence numbers", () => {
  test("reorders pieces", () => {
    for (const sequence of [1, 3, 2, 4, 7, 6, 5, 8]) piece(sequence, { sequence });
    expect(runs()).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((n) => [n, 20]));
  });

  test("decodes packets in order, each once, and counts invalid ones", () => {
    const read: number[] = [];
    for (const sequence of [1, 3, 2, 5, 4, 4, 6]) {
      const decode = () => {
        read.push(sequence);
        return sequence === 3 ? undefined : new Int16Array(20).fill(sequence);
      };
      buffer.push({ decode, sequence, timestampMs: 20 * sequence });
    }
    expect(read).toEqual([1, 2, 3, 4, 5, 6]);
    expect(runs().map(([value]) => value)).toEqual([1, 2, 0, 4, 5, 6]);
    expect(buffer.counters).toEqual({ late: 1, invalid: 1, filledMs: 20 });
  });

  test("waits for a lost piece until six others arrived", () => {
    piece(1, { sequence: 1 });
    for (const sequence of [3, 4, 5, 6, 7]) piece(sequence, { sequence });
    expect(runs()).toEqual([[1, 20]]);
    piece(8, { sequence: 8 });
    expect(runs().map(([value]) => value)).toEqual([1, 3, 4, 5, 6, 7, 8]);
    piece(2, { sequence: 2 });
    expect(buffer.counters.late).toBe(1);
    expect(output).toHaveLength(140);
  });

  test("outputs pieces that wait for a lost one when no more audio arrives", () => {
    piece(1, { sequence: 1 });
    piece(3, { sequence: 3 });
    pass(700);
    expect(runs().slice(0, 2)).toEqual([
      [1, 20],
      [3, 20],
    ]);
  });

  test("outputs audio of a carrier that restarts its count or does not count", () => {
    for (let n = 100; n < 110; n++) piece(1, { sequence: n });
    for (let n = 0; n < 20; n++) piece(2, { sequence: n });
    for (let n = 0; n < 20; n++) piece(3, { sequence: 5 });
    expect(runs()[0]).toEqual([1, 200]);
    expect(runs()[1]?.[1]).toBeGreaterThanOrEqual(300);
    expect(runs().at(-1)?.[0]).toBe(3);
  });
});

test("pieces that wait when a carrier restarts its count come before those of the new count", () => {
  for (const sequence of [11, 12, 14, 15]) piece(1, { sequence });
  for (let sequence = 1; sequence <= 20; sequence++) piece(2, { sequence });
  expect(runs()).toEqual([
    [1, 80],
    [2, 300],
  ]);
});

describe("gaps in timestamps", () => {
  test("are filled with silence, so that later audio keeps real time", () => {
    piece(1, { timestampMs: 0 });
    pass(20);
    piece(1, { timestampMs: 20 });
    pass(220);
    piece(2, { timestampMs: 240 });
    expect(runs()).toEqual([
      [1, 40],
      [0, 200],
      [2, 20],
    ]);
    expect(buffer.counters.filledMs).toBe(200);
  });

  test("of one lost piece are as long as that piece", () => {
    for (const n of [0, 1, 3, 4]) {
      pass(20 * n - nowMs);
      piece(1, { timestampMs: 20 * n });
    }
    expect(runs()).toEqual([
      [1, 40],
      [0, 20],
      [1, 40],
    ]);
  });

  test("of a carrier whose timestamps are samples add at most 100 ms of silence", () => {
    for (let n = 0; n < 500; n++) {
      piece(1, { timestampMs: 160 * n });
      pass(20);
    }
    expect(buffer.counters.filledMs).toBeLessThanOrEqual(100);
    expect(output.filter((value) => value === 1)).toHaveLength(10_000);
  });

  test("of a clock that jumps arbitrarily add at most 100 ms of silence", () => {
    for (const timestampMs of [0, 1e15, -1e15, Number.MAX_VALUE, 20]) piece(1, { timestampMs });
    expect(output.length).toBeLessThanOrEqual(5 * 20 + 100);
  });
});

describe("when no audio arrives", () => {
  test("inserts silence in real time after 500 ms, and does not fill the gap again", () => {
    piece(1, { timestampMs: 0 });
    pass(2_000);
    expect(runs()[0]).toEqual([1, 20]);
    expect(Math.abs(output.length - 2_000)).toBeLessThanOrEqual(100);
    piece(2, { timestampMs: 2_000 });
    expect(Math.abs(output.length - 2_020)).toBeLessThanOrEqual(5);
  });

  test("keeps all audio of a carrier that was only delayed", () => {
    piece(1, { timestampMs: 0 });
    pass(900);
    for (let n = 1; n < 45; n++) piece(2, { timestampMs: 20 * n });
    expect(output.filter((value) => value === 2)).toHaveLength(880);
  });

  test("outputs nothing before the first audio and after the end", () => {
    pass(2_000);
    expect(output).toEqual([]);
    piece(1);
    buffer.end();
    buffer.end();
    piece(2);
    pass(2_000);
    expect(output).toHaveLength(20);
    expect(timers).toEqual([]);
  });

  test("inserts no silence when the process itself was blocked", () => {
    piece(1, { timestampMs: 0 });
    nowMs += 1_500;
    pass(0);
    expect(output).toHaveLength(20);
  });
});
