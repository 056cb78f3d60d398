import { cut, join, tone } from "@pipecat-ts/audio";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createPlayout } from "./playout.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const second = tone(440, { durationMs: 1_000 });

test("plays enqueued frames in real time, and drops the rest when it is cleared", () => {
  const playout = createPlayout();
  for (const frame of cut(second)) playout.enqueue(frame);
  expect(playout.enqueuedMs).toBe(1_000);
  vi.advanceTimersByTime(205);
  expect(playout.played()).toHaveLength(11);
  playout.clear();
  expect(playout.clearedAtMs).toBe(performance.now());
  // A quarter of the current frame was played.
  expect(join(playout.played().map(({ frame }) => frame)).samples).toHaveLength(10.25 * 320);
  for (const frame of cut(second)) playout.enqueue(frame);
  vi.advanceTimersByTime(95);
  expect(playout.played()).toHaveLength(16);
  expect(join(playout.played().map(({ frame }) => frame)).samples).toHaveLength(15.25 * 320);
  expect(playout.clears).toBe(1);
});

test("frames that were taken are forgotten, but not the one that is being played", () => {
  const playout = createPlayout();
  for (const frame of cut(second)) playout.enqueue(frame);
  vi.advanceTimersByTime(205);
  expect(playout.takePlayed()).toHaveLength(10);
  expect(playout.takePlayed()).toEqual([]);
  playout.clear();
  expect(playout.played().map(({ frame }) => frame.samples.length)).toEqual([80]);
});

test("the frames played since an index are those of all that were played", () => {
  const playout = createPlayout();
  for (const frame of cut(second)) playout.enqueue(frame);
  vi.advanceTimersByTime(205);
  const indexes = [0, 5, 10, 11, 30];
  expect(indexes.map((index) => playout.playedSince(index))).toEqual(
    indexes.map((index) => playout.played().slice(index)),
  );
  expect(playout.playedSince(10)).toHaveLength(1);
});

test("calls back when all was played, at once when it is cleared, never after it is closed", () => {
  const playout = createPlayout();
  const played: string[] = [];
  playout.whenPlayed(() => played.push("nothing"));
  vi.advanceTimersByTime(0);
  for (const frame of cut(second)) playout.enqueue(frame);
  playout.whenPlayed(() => played.push("all"));
  vi.advanceTimersByTime(999);
  expect(played).toEqual(["nothing"]);
  vi.advanceTimersByTime(1);
  expect(played).toEqual(["nothing", "all"]);

  for (const frame of cut(second)) playout.enqueue(frame);
  playout.whenPlayed(() => played.push("cleared"));
  playout.clear();
  expect(played).toEqual(["nothing", "all", "cleared"]);
  playout.enqueue(second);
  playout.whenPlayed(() => played.push("closed"));
  playout.close();
  vi.advanceTimersByTime(5_000);
  expect(played).toHaveLength(3);
});
