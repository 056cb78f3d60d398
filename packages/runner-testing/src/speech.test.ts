import { join, silence, tone } from "@pipecat-ts/audio";
import { expect, test } from "vitest";
import { expectLevel, expectPitch } from "./speech.ts";

const sampleRate = 16_000;
const voice = (hz: number, durationMs: number) => tone(hz, { durationMs, sampleRate });

test("a pitch that is wrong by 3 % is an error, which says what was heard", () => {
  expectPitch("the bot", voice(440, 400), 440);
  expect(() => expectPitch("the bot", voice(453, 400), 440)).toThrow(
    "the bot heard 453.0 Hz, expected 440 Hz (0 of 14 windows of 60 ms have it)",
  );
});

test("holes do not change the pitch, which must be right in half of the sound, and in a quarter of all", () => {
  const hole = silence({ durationMs: 20, sampleRate });
  expectPitch("the bot", join([voice(440, 120), hole, voice(440, 130), hole, voice(440, 115)]), 440);
  expect(() => expectPitch("the bot", join([voice(440, 150), voice(500, 250)]), 440)).toThrow("heard 500.0 Hz");
  const longHole = silence({ durationMs: 600, sampleRate });
  expect(() => expectPitch("the bot", join([voice(440, 160), longHole, voice(440, 60)]), 440)).toThrow(
    "(6 of 35 windows",
  );
});

test("silence and sounds that are too short have no pitch", () => {
  for (const audio of [silence({ durationMs: 400, sampleRate }), voice(440, 100)]) {
    expect(() => expectPitch("the caller", audio, 440)).toThrow("the caller heard no pitch, expected 440 Hz (0 of");
  }
});

test("a wrong level is an error, and holes do not change it", () => {
  const loud = (durationMs: number) => tone(440, { durationMs, sampleRate, levelDb: -15 });
  const hole = silence({ durationMs: 20, sampleRate });
  const audio = join([loud(120), hole, loud(130), hole, loud(115)]);
  expectLevel("the bot", audio, -15, 1);
  expect(() => expectLevel("the bot", audio, -12, 1)).toThrow("the bot heard -15.0 dBFS, expected -12 ± 1 dBFS");
});
