import { createPacer } from "@pipecat-ts/runner-media";
import { beforeEach, describe, expect, test } from "vitest";
import { createTimeline, type Timeline } from "./timeline.ts";

const sampleRate = 1_000; // a sample is a millisecond
let nowMs: number;
let timers: { atMs: number; callback: () => void }[];
let timeline: Timeline;
let given: number[];

beforeEach(() => {
  nowMs = 0;
  timers = [];
  given = [];
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
  timeline = createTimeline({
    pacer: createPacer(clock),
    sampleRate,
    give: (frame) => void given.push(...frame.samples),
  });
});

/** Lets time pass, timer by timer. */
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
function piece(value: number, at: { atMs?: number; order?: number } = {}): void {
  timeline.take({ samples: new Int16Array(20).fill(value), ...at });
}

function runs(): [value: number, ms: number][] {
  const found: [number, number][] = [];
  for (const value of given) {
    const last = found.at(-1);
    if (last?.[0] === value) last[1] += 1;
    else found.push([value, 1]);
  }
  return found;
}

describe("order", () => {
  test("pieces out of order are put right", () => {
    for (const order of [1, 3, 2, 4, 7, 6, 5, 8]) piece(order, { order });
    expect(runs()).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((n) => [n, 20]));
  });

  test("a piece that is lost is waited for until six others came", () => {
    piece(1, { order: 1 });
    for (const order of [3, 4, 5, 6, 7]) piece(order, { order });
    expect(runs()).toEqual([[1, 20]]);
    piece(8, { order: 8 });
    expect(runs().map(([value]) => value)).toEqual([1, 3, 4, 5, 6, 7, 8]);
    piece(2, { order: 2 });
    expect(timeline.counters.late).toBe(1);
    expect(given).toHaveLength(140);
  });

  test("what waits for a lost piece is given when nothing more comes", () => {
    piece(1, { order: 1 });
    piece(3, { order: 3 });
    pass(700);
    expect(runs().slice(0, 2)).toEqual([
      [1, 20],
      [3, 20],
    ]);
  });

  test("a carrier that counts anew, or does not count, is heard", () => {
    for (let n = 100; n < 110; n++) piece(1, { order: n });
    for (let n = 0; n < 20; n++) piece(2, { order: n });
    for (let n = 0; n < 20; n++) piece(3, { order: 5 });
    expect(runs()[0]).toEqual([1, 200]);
    expect(runs()[1]?.[1]).toBeGreaterThanOrEqual(300);
    expect(runs().at(-1)?.[0]).toBe(3);
  });
});

describe("gaps", () => {
  test("are filled with silence, so that what follows is in time", () => {
    piece(1, { atMs: 0 });
    pass(20);
    piece(1, { atMs: 20 });
    pass(220);
    piece(2, { atMs: 240 });
    expect(runs()).toEqual([
      [1, 40],
      [0, 200],
      [2, 20],
    ]);
    expect(timeline.counters.filledMs).toBe(200);
  });

  test("of one lost piece are as long as it", () => {
    for (const n of [0, 1, 3, 4]) {
      pass(20 * n - nowMs);
      piece(1, { atMs: 20 * n });
    }
    expect(runs()).toEqual([
      [1, 40],
      [0, 20],
      [1, 40],
    ]);
  });

  test("are none where the carrier's clock is no milliseconds: sound is hardly disturbed", () => {
    for (let n = 0; n < 500; n++) {
      piece(1, { atMs: 160 * n });
      pass(20);
    }
    expect(timeline.counters.filledMs).toBeLessThanOrEqual(100);
    expect(given.filter((value) => value === 1)).toHaveLength(10_000);
  });

  test("are none where the clock jumps to nonsense", () => {
    for (const atMs of [0, 1e15, -1e15, Number.MAX_VALUE, 20]) piece(1, { atMs });
    expect(given.length).toBeLessThanOrEqual(5 * 20 + 100);
  });
});

describe("a line that gives nothing", () => {
  test("is silent in real time after 500 ms, and the gap is not filled twice", () => {
    piece(1, { atMs: 0 });
    pass(2_000);
    expect(runs()[0]).toEqual([1, 20]);
    expect(Math.abs(given.length - 2_000)).toBeLessThanOrEqual(100);
    piece(2, { atMs: 2_000 });
    expect(Math.abs(given.length - 2_020)).toBeLessThanOrEqual(5);
  });

  test("that was only held up loses nothing", () => {
    piece(1, { atMs: 0 });
    pass(900);
    for (let n = 1; n < 45; n++) piece(2, { atMs: 20 * n });
    expect(given.filter((value) => value === 2)).toHaveLength(880);
  });

  test("stays so before it has given anything, and after its end", () => {
    pass(2_000);
    expect(given).toEqual([]);
    piece(1);
    timeline.end();
    timeline.end();
    piece(2);
    pass(2_000);
    expect(given).toHaveLength(20);
    expect(timers).toEqual([]);
  });

  test("is not taken for silent by a process that was held up itself", () => {
    piece(1, { atMs: 0 });
    nowMs += 1_500;
    pass(0);
    expect(given).toHaveLength(20);
  });
});
