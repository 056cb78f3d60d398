import { describe, expect, it } from "vitest";
import { decodePcm16, encodePcm16 } from "./pcm.ts";

describe("PCM16 bytes", () => {
  it("puts the low byte first", () => {
    expect([...encodePcm16(Int16Array.of(0x1234, -2))]).toEqual([0x34, 0x12, 0xfe, 0xff]);
    expect([...decodePcm16(Uint8Array.of(0x34, 0x12, 0xfe, 0xff))]).toEqual([0x1234, -2]);
  });

  it("gives every sample back", () => {
    const samples = Int16Array.from({ length: 65_536 }, (_, index) => index - 32_768);
    expect(decodePcm16(encodePcm16(samples))).toEqual(samples);
  });

  it("reads bytes that start at an odd place in their buffer", () => {
    const buffer = Uint8Array.of(9, 1, 0, 2, 0, 9);
    expect([...decodePcm16(buffer.subarray(1, 5))]).toEqual([1, 2]);
  });

  it("writes only the samples of a part of a buffer", () => {
    expect([...encodePcm16(Int16Array.of(7, 8, 9).subarray(1, 2))]).toEqual([8, 0]);
  });

  it("leaves a last odd byte out", () => {
    expect([...decodePcm16(Uint8Array.of(1, 0, 2))]).toEqual([1]);
    expect(decodePcm16(Uint8Array.of(1))).toHaveLength(0);
    expect(decodePcm16(new Uint8Array(0))).toHaveLength(0);
  });

  it("shares no memory with what it was given", () => {
    const bytes = Uint8Array.of(1, 0);
    const samples = decodePcm16(bytes);
    bytes[0] = 5;
    expect(samples[0]).toBe(1);
  });
});
