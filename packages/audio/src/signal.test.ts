import { describe, expect, test } from "vitest";
import { findGaps, findSound, findVoice, measureLevel, measurePitch, measureTone } from "./measure.ts";
import { cut, excerpt, join, silence, sweep, syllables, tone } from "./signal.ts";

const rates = [8_000, 16_000, 24_000, 48_000];

describe("pitch", () => {
  for (const sampleRate of rates)
    for (const hz of [80, 123.4, 250, 440, 938, 999])
      test(`of a tone and of syllables of ${hz} Hz at ${sampleRate} Hz is accurate to 0.5 %`, () => {
        const options = { durationMs: 500, sampleRate };
        for (const sound of [tone(hz, options), syllables(hz, options)])
          expect(Math.abs((measurePitch(sound) ?? 0) / hz - 1)).toBeLessThan(0.005);
      });

  test("of silence, of noise and of 5 ms is undefined", () => {
    let state = 1;
    const noise = Int16Array.from({ length: 8_000 }, () => {
      state = Math.imul(state, 1_664_525) + 1_013_904_223;
      return state >> 19;
    });
    expect(measurePitch(silence({ durationMs: 500 }))).toBeUndefined();
    expect(measurePitch({ samples: noise, sampleRate: 16_000, channels: 1 })).toBeUndefined();
    expect(measurePitch({ samples: noise.fill(1_000), sampleRate: 16_000, channels: 1 })).toBeUndefined();
    expect(measurePitch(tone(440, { durationMs: 5 }))).toBeUndefined();
  });
});

describe("level", () => {
  test("is the requested level, at every rate", () => {
    for (const sampleRate of rates)
      for (const levelDb of [-60, -15, -6]) {
        expect(measureLevel(tone(440, { durationMs: 200, sampleRate, levelDb }))).toBeCloseTo(levelDb, 1);
        expect(measureLevel(syllables(200, { durationMs: 800, sampleRate, levelDb: levelDb - 12 }))).toBeCloseTo(
          levelDb - 12,
          1,
        );
      }
  });

  test("of full scale and of silence", () => {
    const full = Int16Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? -32_768 : 32_767));
    expect(measureLevel({ samples: full, sampleRate: 8_000, channels: 1 })).toBeCloseTo(0, 2);
    expect(measureLevel(silence({ durationMs: 20 }))).toBe(Number.NEGATIVE_INFINITY);
    expect(measureLevel(join([]))).toBe(Number.NEGATIVE_INFINITY);
  });

  test("of one tone ignores another", () => {
    const sound = tone(440, { durationMs: 400, levelDb: -20 });
    expect(measureTone(sound, 440)).toBeCloseTo(-20, 0);
    expect(measureTone(sound, 700)).toBeLessThan(-60);
    const both = tone(700, { durationMs: 400, levelDb: -30 }).samples.map(
      (sample, i) => sample + (sound.samples[i] ?? 0),
    );
    expect(measureTone({ ...sound, samples: both }, 700)).toBeCloseTo(-30, 0);
  });
});

describe("gaps", () => {
  const speech = (durationMs: number) => tone(300, { durationMs });
  const pause = (durationMs: number) => silence({ durationMs });

  test("are found inside speech, not around it", () => {
    const audio = join([pause(100), speech(200), pause(60), speech(100), pause(5), speech(100), pause(300)]);
    expect(findVoice(audio)).toEqual({ fromMs: 100, toMs: 565 });
    const gaps = findGaps(audio);
    expect(gaps).toHaveLength(1);
    expect(gaps[0]?.atMs).toBe(300);
    expect(gaps[0]?.durationMs).toBe(60);
  });

  test("do not exist in continuous speech or in silence", () => {
    expect(findGaps(speech(300))).toEqual([]);
    expect(findGaps(pause(300))).toEqual([]);
    expect(findVoice(pause(300))).toBeUndefined();
  });
});

describe("delay", () => {
  test("of a sweep is found to the sample, also when it is quieter", () => {
    const sound = sweep(300, 2_000, { durationMs: 120, sampleRate: 8_000 });
    const quiet = { ...sound, samples: sound.samples.map((sample) => sample / 4) };
    const found = findSound(sound, join([silence({ durationMs: 73, sampleRate: 8_000 }), quiet, quiet]));
    expect(found?.delayMs).toBe(73);
    expect(found?.correlation).toBeGreaterThan(0.99);
  });

  test("has a low correlation for a missing sound, and is undefined for a short recording", () => {
    const sound = sweep(300, 2_000, { durationMs: 120, sampleRate: 8_000 });
    expect(findSound(sound, tone(440, { durationMs: 400, sampleRate: 8_000 }))?.correlation).toBeLessThan(0.5);
    expect(findSound(sound, tone(440, { durationMs: 50, sampleRate: 8_000 }))).toBeUndefined();
  });
});

describe("cut and join", () => {
  test("keep every sample, and pad the last frame", () => {
    const sound = tone(440, { durationMs: 50 });
    const frames = cut(sound);
    expect(frames.map((frame) => frame.samples.length)).toEqual([320, 320, 320]);
    expect(excerpt(join(frames), 0, 50)).toEqual(sound);
    expect(excerpt(sound, 20, 40)).toEqual(frames[1]);
    expect(excerpt(sound, 20).samples).toHaveLength(480);
    expect(excerpt(sound, -20, -10).samples).toHaveLength(0);
  });

  test("reject frames of different rates", () => {
    expect(() => join([silence({ durationMs: 20 }), silence({ durationMs: 20, sampleRate: 8_000 })])).toThrow(
      "8000 Hz",
    );
  });
});
