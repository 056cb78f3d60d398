import { setTimeout as sleep } from "node:timers/promises";
import { cut, silence, tone } from "@pipecat-ts/audio";
import { createPlayout } from "@pipecat-ts/runner-core/caller";
import { expect, test } from "vitest";
import { createHearing } from "./hearing.ts";

/** A playout that begins to play these sounds now, one after the other. The caller acts when `act` is called. */
function play(...sounds: ReturnType<typeof tone>[]) {
  const playout = createPlayout();
  const beganAtMs = performance.now();
  let actedAtMs: number | undefined;
  for (const frame of sounds.flatMap((sound) => cut(sound))) playout.enqueue(frame);
  const times = { saidAtMs: () => beganAtMs, actedAtMs: () => actedAtMs };
  const act = () => {
    actedAtMs = performance.now();
  };
  return { ...createHearing({ playout, ...times, failure: () => undefined }), playout, act };
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

test("a sound below the default level is heard if it may be that quiet", async () => {
  const hearing = play(tone(440, { durationMs: 300, levelDb: -55 }));
  await expect(hearing.hears({ minDb: -60, maxDb: -50, withinMs: 600 })).resolves.toMatchObject({
    levelDb: expect.closeTo(-55, 0),
  });
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

const long = tone(440, { durationMs: 800 });

test("the rest of a sound that was heard is not heard again, even after a short pause", async () => {
  const { hears } = play(tone(440, { durationMs: 400 }), silence({ durationMs: 100 }), tone(440, { durationMs: 300 }));
  await hears();
  await expect(hears({ withinMs: 700 })).rejects.toThrow(
    /That sound began before .* or an earlier hears\(\) found it\.$/,
  );
});

test("a sound after a longer pause is heard, and its latency counts", async () => {
  const pause = silence({ durationMs: 250 });
  const { hears } = play(tone(440, { durationMs: 400 }), pause, tone(440, { durationMs: 300 }));
  await hears();
  const { latencyMs } = await hears();
  expect(latencyMs).toBeGreaterThanOrEqual(645);
  expect(latencyMs).toBeLessThan(675);
});

test("after the caller acts, a sound that began before is not heard", async () => {
  const { hears, act } = play(long);
  await sleep(100);
  act();
  await expect(hears({ withinMs: 500 })).rejects.toThrow("That sound began before the caller last spoke");
  await expect(hears({ pitchHz: 440, withinMs: 300 })).rejects.toThrow("That sound began before the caller last spoke");
});

test("after the caller acts, another pitch is heard without a pause", async () => {
  const { hears, act } = play(tone(440, { durationMs: 400 }), tone(660, { durationMs: 400 }));
  await sleep(100);
  act();
  expect((await hears({ pitchHz: 660 })).latencyMs).toBeGreaterThan(300);
});

test("after the caller interrupts the bot, the next sound is heard without a pause", async () => {
  const { hears, act, playout } = play(long);
  await hears();
  act();
  playout.clear();
  for (const frame of cut(tone(440, { durationMs: 300 }))) playout.enqueue(frame);
  await hears({ pitchHz: 440 });
});
