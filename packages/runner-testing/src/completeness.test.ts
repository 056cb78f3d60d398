import { type AudioFrame, cut, decodeMulaw, encodeMulaw, join, resample, silence } from "@pipecat-ts/audio";
import { describe, expect, test } from "vitest";
import { compareSpeech, createSpeech, expectComplete } from "./completeness.ts";

const spokenMs = 1_500;
const strict = { changedMs: 0, pauseMs: 10 };

/** The wires that audio may pass, by the rate of the speech. */
const wires: Readonly<Record<string, (audio: AudioFrame) => AudioFrame>> = {
  "PCM at 8,000 Hz": (audio) => resample(audio, 8_000),
  "PCM at 48,000 Hz": (audio) => resample(audio, 48_000),
  "mu-law": (audio) => ({ ...resample(audio, 8_000), samples: throughMulaw(resample(audio, 8_000).samples) }),
};

describe.each(Object.keys(wires))("over %s", (wire) => {
  const hear = (change: (frames: AudioFrame[]) => AudioFrame[]) => throughWire(wire, change);

  test("complete speech is complete", () => {
    expect(compareSpeech(hear(same), spokenMs)).toEqual({ heardMs: spokenMs, lost: [], repeated: [], pauses: [] });
    expectComplete("bot", hear(same), spokenMs, strict);
  });

  test.each([
    ["first", 0],
    ["30th", 29],
    ["last", 74],
  ])("the %s frame is missed", (_, missing) => {
    const { lost, repeated } = compareSpeech(
      hear((frames) => frames.filter((_, index) => index !== missing)),
      spokenMs,
    );
    expect(repeated).toEqual([]);
    expect(lost).toHaveLength(1);
    expectAbout(lost[0]?.atMs, missing * 20);
    expectAbout(lost[0]?.durationMs, 20);
  });

  test("each repeated frame is noticed", () => {
    const twice = hear((frames) => frames.flatMap((frame, index) => (index % 10 === 9 ? [frame, frame] : frame)));
    const { lost, repeated } = compareSpeech(twice, spokenMs);
    expect(lost).toEqual([]);
    expect(repeated).toHaveLength(7);
    for (const [index, { atMs, durationMs }] of repeated.entries()) {
      expectAbout(atMs, 200 * (index + 1));
      expectAbout(durationMs, 20);
    }
  });

  test("silence in place of speech is a loss, and silence within speech is a pause", () => {
    const isChanged = (index: number) => index % 25 === 20;
    const replaced = compareSpeech(
      hear((frames) => frames.map((frame, index) => (isChanged(index) ? muted(frame) : frame))),
      spokenMs,
    );
    expect(replaced).toMatchObject({ repeated: [], lost: { length: 3 } });
    const inserted = compareSpeech(
      hear((frames) => frames.flatMap((frame, index) => (isChanged(index) ? [muted(frame), frame] : frame))),
      spokenMs,
    );
    expect(inserted).toMatchObject({ lost: [], repeated: [], pauses: { length: 3 } });
  });
});

test("the message names what is missing, where, and what to check", () => {
  const dropped = throughWire("mu-law", (frames) => frames.filter((_, index) => index % 10 !== 9));
  const check = (listener: "bot" | "caller", audio: AudioFrame, tolerance = strict) => {
    return () => expectComplete(listener, audio, spokenMs, tolerance);
  };
  expect(check("bot", dropped)).toThrow(
    /of 1500 ms of speech, the bot did not hear 140 ms: 20 ms at 1[78]\d ms, .*, and 2 more\. Check that .* call\.audio\(\)/,
  );
  expect(check("caller", dropped, { changedMs: 60, pauseMs: 60 })).toThrow("(tolerated: 60 ms)");
  expect(check("caller", dropped, { changedMs: 150, pauseMs: 60 })).not.toThrow();
  const stopped = throughWire("mu-law", (frames) => frames.slice(0, 40));
  expect(check("caller", stopped)).toThrow(
    /the caller did not hear 69\d ms: everything after 80\d ms\. Check .* send\(\)/,
  );
  expect(check("caller", silence({ durationMs: 900 }))).toThrow("did not hear 1500 ms: everything after 0 ms.");
});

function throughWire(wire: string, change: (frames: AudioFrame[]) => AudioFrame[]): AudioFrame {
  const pause = silence({ durationMs: 200 });
  return (wires[wire] ?? same)(join([pause, ...change(cut(createSpeech(spokenMs, 16_000, -15))), pause]));
}

function throughMulaw(samples: Int16Array): Int16Array {
  return decodeMulaw(encodeMulaw(samples));
}

function muted(frame: AudioFrame): AudioFrame {
  return { ...frame, samples: new Int16Array(frame.samples.length) };
}

function same<T>(value: T): T {
  return value;
}

/** The resolution is 5 ms, and an end is uncertain by one more step. */
function expectAbout(actual: number | undefined, expectedMs: number): void {
  expect(Math.abs((actual ?? Number.NaN) - expectedMs)).toBeLessThanOrEqual(10);
}
