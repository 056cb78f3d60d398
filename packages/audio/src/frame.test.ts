import { describe, expect, it } from "vitest";
import { durationMs, mixToMono } from "./frame.ts";

it("durationMs counts a stereo sample once", () => {
  expect(durationMs({ samples: new Int16Array(320), sampleRate: 16_000, channels: 1 })).toBe(20);
  expect(durationMs({ samples: new Int16Array(320), sampleRate: 16_000, channels: 2 })).toBe(10);
});

describe("mixToMono", () => {
  it("averages left and right without overflow", () => {
    const samples = Int16Array.of(100, 200, -5, -8, 32_767, 32_767, -32_768, -32_768, 32_767, -32_768);
    const mono = mixToMono({ samples, sampleRate: 48_000, channels: 2 });
    expect(mono).toEqual({ samples: Int16Array.of(150, -6, 32_767, -32_768, 0), sampleRate: 48_000, channels: 1 });
  });

  it("mixes more than two channels", () => {
    expect([
      ...mixToMono({ samples: Int16Array.of(3, 6, 9, 0, 0, -9), sampleRate: 8000, channels: 3 }).samples,
    ]).toEqual([6, -3]);
  });

  it("returns a mono frame unchanged", () => {
    const frame = { samples: Int16Array.of(1, 2, 3), sampleRate: 8000, channels: 1 };
    expect(mixToMono(frame)).toBe(frame);
  });

  it("rejects a length that is not a multiple of the channels", () => {
    expect(() => mixToMono({ samples: new Int16Array(5), sampleRate: 8000, channels: 2 })).toThrow(
      new RangeError("A frame with 2 channels cannot have 5 samples. Use a multiple of 2."),
    );
  });

  it.each([0, -1, 1.5, Number.NaN])("rejects %d channels", (channels) => {
    expect(() => mixToMono({ samples: new Int16Array(4), sampleRate: 8000, channels })).toThrow(RangeError);
  });
});
