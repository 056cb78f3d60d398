import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { cut, join, tone } from "./signal.ts";
import { createSpeaker } from "./speaker.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const second = tone(440, { durationMs: 1_000 });

test("sounds in real time what it took at once, and drops the rest when cleared", () => {
  const speaker = createSpeaker();
  for (const frame of cut(second)) speaker.play(frame);
  expect(speaker.takenMs).toBe(1_000);
  vi.advanceTimersByTime(205);
  expect(speaker.heard()).toHaveLength(11);
  speaker.clear();
  expect(speaker.clearedAtMs).toBe(performance.now());
  // Of the frame under way a quarter has sounded.
  expect(join(speaker.heard().map(({ frame }) => frame)).samples).toHaveLength(10.25 * 320);
  for (const frame of cut(second)) speaker.play(frame);
  vi.advanceTimersByTime(95);
  expect(speaker.heard()).toHaveLength(16);
  expect(join(speaker.heard().map(({ frame }) => frame)).samples).toHaveLength(15.25 * 320);
  expect(speaker.clears).toBe(1);
});

test("says when all was played, at once when it is cleared, never when it is closed", () => {
  const speaker = createSpeaker();
  const played: string[] = [];
  speaker.whenPlayed(() => played.push("nothing"));
  vi.advanceTimersByTime(0);
  for (const frame of cut(second)) speaker.play(frame);
  speaker.whenPlayed(() => played.push("all"));
  vi.advanceTimersByTime(999);
  expect(played).toEqual(["nothing"]);
  vi.advanceTimersByTime(1);
  expect(played).toEqual(["nothing", "all"]);

  for (const frame of cut(second)) speaker.play(frame);
  speaker.whenPlayed(() => played.push("cleared"));
  speaker.clear();
  expect(played).toEqual(["nothing", "all", "cleared"]);
  speaker.play(second);
  speaker.whenPlayed(() => played.push("closed"));
  speaker.close();
  vi.advanceTimersByTime(5_000);
  expect(played).toHaveLength(3);
});
