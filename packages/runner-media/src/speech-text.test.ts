import { describe, expect, test } from "vitest";
import { createSpeechText } from "./speech-text.ts";

function speech(writtenMs: number, complete: boolean) {
  const audio = { writtenMs, complete };
  const spoken = createSpeechText(audio);
  /** The text that was heard after `playedMs`. */
  const heardAt = (playedMs: number): string => {
    spoken.advance(playedMs);
    return spoken.heardText;
  };
  return { audio, spoken, heardAt };
}

describe("the heard text of a speech", () => {
  test("is the played share of the whole audio, in whole words", () => {
    const { spoken, heardAt } = speech(1_000, true);
    spoken.add("one two ");
    spoken.add("three four");
    expect([0, 100, 200, 450, 999, 1_000].map(heardAt)).toEqual([
      "",
      "",
      "one",
      "one two",
      "one two three",
      "one two three four",
    ]);
  });

  test("grows at no more than 17 characters per second while audio may follow its text", () => {
    const { audio, spoken, heardAt } = speech(500, false);
    spoken.add("one two three four five six seven eight nine ten eleven twelve");
    expect(heardAt(250)).toBe("one");
    expect(heardAt(500)).toBe("one two");
    audio.writtenMs = 5_000;
    audio.complete = true;
    expect(heardAt(2_500)).toBe("one two three four five six");
  });

  test("does not contain a last word that may still grow", () => {
    const { audio, spoken, heardAt } = speech(1_000, false);
    spoken.add("Hello wor");
    expect(heardAt(1_000)).toBe("Hello");
    spoken.add("ld");
    audio.complete = true;
    expect(heardAt(1_000)).toBe("Hello world");
  });

  test("follows the positions of its text in the audio", () => {
    const { spoken, heardAt } = speech(10_000, true);
    spoken.add("Hello ", 0);
    spoken.add("there", 8_000);
    spoken.add(" now", 9_000);
    expect([4_000, 7_990, 8_500, 9_000, 9_999, 10_000].map(heardAt)).toEqual([
      "",
      "Hello",
      "Hello",
      "Hello there",
      "Hello there",
      "Hello there now",
    ]);
  });

  test("takes a position before an earlier one as a correction, and never shrinks", () => {
    const { spoken, heardAt } = speech(4_000, true);
    spoken.add("one ", 1_000);
    spoken.add("two ", 3_000);
    spoken.add("three", 2_000);
    expect(heardAt(900)).toBe("");
    expect(heardAt(2_000)).toBe("one two");
    expect(heardAt(1_000)).toBe("one two");
  });

  test("contains the punctuation of its last word", () => {
    const { spoken, heardAt } = speech(1_000, true);
    spoken.add('He said "no", and left (late).');
    expect([150, 450, 800, 990].map(heardAt)).toEqual([
      "He",
      'He said "no",',
      'He said "no", and left',
      'He said "no", and left (late).',
    ]);
  });

  test("is divided into words without spaces too", () => {
    const { spoken, heardAt } = speech(1_000, true);
    spoken.add("今日は天気がいいですね");
    const half = heardAt(500);
    expect(half.length).toBeGreaterThan(2);
    expect(half.length).toBeLessThan(6);
  });

  test("is all of it at the end, also of a speech without audio or text", () => {
    const { spoken, heardAt } = speech(0, true);
    expect(heardAt(Number.POSITIVE_INFINITY)).toBe("");
    spoken.add("only text");
    expect(heardAt(0)).toBe("");
    expect(heardAt(Number.POSITIVE_INFINITY)).toBe("only text");
  });
});
