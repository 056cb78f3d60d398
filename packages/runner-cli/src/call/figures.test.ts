import { cut, durationMs, silence, tone } from "@pipecat-ts/audio";
import type { PlayedFrame } from "@pipecat-ts/runner-core/caller";
import { expect, test } from "vitest";
import { createCallMeter } from "./figures.ts";

/** Frames of 20 ms that are played one after the other from `fromMs` on. */
function played(fromMs: number, lengthMs: number, levelDb?: number): PlayedFrame[] {
  const audio =
    levelDb === undefined ? silence({ durationMs: lengthMs }) : tone(400, { durationMs: lengthMs, levelDb });
  return cut(audio).map((frame, index) => ({ frame, atMs: fromMs + index * 20 }));
}

/** The figures of a call from 1,000 to 10,000 ms. The caller begins to interrupt when it has heard the frames before. */
function measureCall(frames: readonly PlayedFrame[], bargedInAtMs = Number.POSITIVE_INFINITY) {
  const meter = createCallMeter(1_000);
  const endOf = ({ frame, atMs }: PlayedFrame) => atMs + durationMs(frame);
  for (const entry of frames.filter((each) => endOf(each) <= bargedInAtMs)) meter.heard(entry);
  if (Number.isFinite(bargedInAtMs)) meter.bargedIn(bargedInAtMs);
  for (const entry of frames.filter((each) => endOf(each) > bargedInAtMs)) meter.heard(entry);
  return meter.figures(10_000);
}

test("measures the time to the first sound, the level and the duration of what was heard", () => {
  const figures = measureCall([...played(1_100, 200), ...played(1_300, 600, -20), ...played(1_900, 100)]);
  expect(figures).toMatchObject({ firstAudioMs: 300, gaps: 0, longestGapMs: 0, durationMs: 9_000 });
  expect(figures.heardMs).toBe(600);
  expect(figures.levelDb).toBeCloseTo(-20, 0);
});

test("a bot that sends nothing, or silence, has no first audio and no level", () => {
  const none = { firstAudioMs: undefined, levelDb: undefined, heardMs: 0, gaps: 0, bargeInMs: undefined };
  expect(measureCall([])).toMatchObject(none);
  expect(measureCall(played(1_100, 500))).toMatchObject(none);
});

test("gaps are short holes inside speech, not silence that the bot sends, nor pauses between utterances", () => {
  const speech = [
    ...played(2_000, 200, -15),
    ...played(2_240, 200, -15), // 40 ms late
    ...played(2_450, 200, -15), // 10 ms late: jitter
    ...played(2_650, 100), // the bot pauses, and sends silence
    ...played(2_750, 200, -15),
    ...played(4_000, 200, -15), // another utterance
    ...played(4_300, 200, -15), // 100 ms late
  ];
  expect(measureCall(speech)).toMatchObject({ gaps: 2, longestGapMs: 100 });
});

test("the barge-in ends with the bot's last sound before it is silent for 300 ms", () => {
  const bargeInMs = (frames: readonly PlayedFrame[], atMs: number) => measureCall(frames, atMs).bargeInMs;
  const speech = played(2_000, 1_000, -15);
  expect(bargeInMs(speech, 2_600)).toBeCloseTo(400, 0);
  expect(bargeInMs([...speech, ...played(5_000, 400, -15)], 2_600)).toBeCloseTo(400, 0);
  expect(bargeInMs([...speech, ...played(3_200, 400, -15)], 2_600)).toBeCloseTo(1_000, 0);
  expect(bargeInMs(played(2_000, 7_900, -15), 2_600)).toBe(undefined); // it speaks on until the end of the call
  expect(bargeInMs(played(5_000, 400, -15), 2_600)).toBe(undefined); // it did not speak
});
