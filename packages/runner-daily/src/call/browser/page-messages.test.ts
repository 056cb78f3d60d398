import { describe, expect, test } from "vitest";
import { recogniseAudio, recogniseMessage } from "./page-messages.ts";

/** Source 7 at 48,000 Hz with the samples 1, -1. */
const packet = Buffer.from("0700000080bb00000100ffff", "hex");

describe("audio of the page", () => {
  test("is a number, a rate and samples", () => {
    const samples = Int16Array.from([1, -1]);
    expect(recogniseAudio(packet)).toEqual({ number: 7, frame: { samples, sampleRate: 48_000, channels: 1 } });
  });

  test("is copied: the socket uses its memory again", () => {
    const bytes = Buffer.from(packet);
    const audio = recogniseAudio(bytes);
    bytes.fill(0);
    expect(audio?.frame.samples).toEqual(Int16Array.from([1, -1]));
  });

  test.each([
    ["nothing", Buffer.alloc(0)],
    ["a head alone", packet.subarray(0, 8)],
    ["half a sample", packet.subarray(0, 11)],
    ["a rate of 0", Buffer.from("070000000000000001000000", "hex")],
    ["a rate of 4 GHz", Buffer.from("07000000ffffffff01000000", "hex")],
  ])("is not %s", (_, bytes) => {
    expect(recogniseAudio(bytes)).toBeUndefined();
  });
});

test("text that is no JSON says nothing", () => {
  expect(recogniseMessage("{")).toBeUndefined();
  expect(recogniseMessage('{"event":"played","mark":"m"}')).toEqual({ event: "played", mark: "m" });
});
