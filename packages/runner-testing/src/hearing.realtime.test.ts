import { cut, silence, tone } from "@pipecat-ts/audio";
import { createPlayout } from "@pipecat-ts/runner-core/caller";
import { expect, test } from "vitest";
import { createHearing } from "./hearing.ts";

/** A playout that begins to play these sounds now, one after the other. */
function play(...sounds: ReturnType<typeof tone>[]) {
  const playout = createPlayout();
  const beganAtMs = performance.now();
  for (const frame of sounds.flatMap((sound) => cut(sound))) playout.enqueue(frame);
  return createHearing(playout, () => beganAtMs);
}

test("a sound is heard with its latency, level and pitch, and the next one after it", async () => {
  const pause = silence({ durationMs: 100 });
  const hearing = play(pause, tone(440, { durationMs: 300, levelDb: -20 }), pause, tone(660, { durationMs: 300 }));
  const first = await hearing.hears({ pitchHz: 440 });
  expect(first.latencyMs).toBeGreaterThanOrEqual(95);
  expect(first.latencyMs).toBeLessThan(125);
  expect(first.levelDb).toBeCloseTo(-20, 0);
  expect(first.pitchHz).toBeCloseTo(440, -1);
  const second = await hearing.hears({ pitchHz: 660, minDb: -16, maxDb: -14 });
  expect(second.pitchHz).toBeCloseTo(660, -1);
});

test("any sound is heard without a pitch and a level, unless it is too short or too quiet", async () => {
  await expect(play(tone(440, { durationMs: 300 })).hears()).resolves.toMatchObject({ levelDb: expect.any(Number) });
  await expect(play(tone(440, { durationMs: 60 })).hears({ withinMs: 200 })).rejects.toThrow("no sound that is long");
  await expect(play(tone(440, { durationMs: 300, levelDb: -50 })).hears({ withinMs: 400 })).rejects.toThrow("no sound");
});

test("the error says what was heard and what was expected", async () => {
  const hearing = play(tone(440, { durationMs: 300 }));
  await expect(hearing.hears({ pitchHz: 500, minDb: -40, withinMs: 400 })).rejects.toThrow(
    /^The caller heard 440 Hz at -15\.\d dBFS last within 400 ms, expected 500 Hz for 200 ms of at least -40 dBFS\.$/,
  );
  const loud = play(tone(440, { durationMs: 300 }));
  await expect(loud.hears({ maxDb: -20, withinMs: 400 })).rejects.toThrow(
    "expected a sound for 200 ms of at most -20 dBFS",
  );
});

test("silence is heard once the bot has stopped for long enough", async () => {
  const hearing = play(tone(440, { durationMs: 300 }));
  const beganAtMs = performance.now();
  await hearing.hearsSilence({ forMs: 200 });
  expect(performance.now() - beganAtMs).toBeGreaterThanOrEqual(480);
  await expect(play(tone(440, { durationMs: 600 })).hearsSilence({ withinMs: 300 })).rejects.toThrow(
    "The caller still hears the bot after 300 ms, expected silence for 500 ms.",
  );
});
