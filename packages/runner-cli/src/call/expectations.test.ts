import { expect, test } from "vitest";
import { failureReason, parseExpectation } from "./expectations.ts";

const call = {
  answerMs: 40,
  firstAudioMs: 812.34,
  bargeInMs: undefined,
  heardMs: 1_500,
  levelDb: -21,
  gaps: 2,
  longestGapMs: 60,
  durationMs: 5_000,
};

test.each([
  "first-audio<1s",
  "first-audio < 900ms",
  "gaps<=2",
  "level>-30dB",
  "level>=-21",
  "heard>1s",
  "answer<40.1ms",
])("%s is met", (text) => {
  expect(failureReason(parseExpectation(text), call)).toBe(undefined);
});

test.each([
  ["first-audio<800ms", "first-audio<800ms: measured 812.3 ms"],
  ["gaps<2", "gaps<2: measured 2"],
  ["level>-20dBFS", "level>-20dBFS: measured -21 dBFS"],
  ["barge-in<1s", "barge-in<1s: not measured (the bot was not interrupted)"],
])("%s is not met, with the reason", (text, reason) => {
  expect(failureReason(parseExpectation(text), call)).toBe(reason);
});

test("a figure that was not measured does not meet a condition", () => {
  expect(failureReason(parseExpectation("first-audio<800ms"), { ...call, firstAudioMs: undefined })).toBe(
    "first-audio<800ms: not measured (the bot was silent)",
  );
});

test.each(["", "first-audio", "first-audio=3", "speed<3", "gaps<two", "gaps<2m", "toString<3"])(
  '"%s" is rejected',
  (text) => {
    expect(() => parseExpectation(text)).toThrow("not a condition");
  },
);
