import { expect, it } from "vitest";
import { durationMs } from "./frame.ts";

it("durationMs counts a stereo sample once", () => {
  expect(durationMs({ samples: new Int16Array(320), sampleRate: 16_000, channels: 1 })).toBe(20);
  expect(durationMs({ samples: new Int16Array(320), sampleRate: 16_000, channels: 2 })).toBe(10);
});
