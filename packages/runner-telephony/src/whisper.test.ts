import { describe, expect, test } from "vitest";
import { formatWhisper, parseWhisper, type Whisper } from "./whisper.ts";

const valid: readonly Whisper[] = [
  { say: "A caller from the website" },
  { say: 'Él pide ayuda: "rápido" & <ya>', language: "es-ES" },
  { say: "x".repeat(300) },
  { play: "https://example.com/notice.mp3" },
];

test.each(valid)("%j survives as a parameter of a URL", (whisper) => {
  const url = new URL("https://bots.example.com/acme");
  url.searchParams.set("whisper", formatWhisper(whisper));
  expect(parseWhisper(new URL(url.href).searchParams.get("whisper") ?? "")).toEqual(whisper);
});

const invalid: readonly unknown[] = [
  {},
  "a text",
  null,
  { say: "" },
  { say: "two\nlines" },
  { say: "x".repeat(301) },
  { say: '"'.repeat(300) },
  { say: "\ud800" },
  { say: 7 },
  { say: "Hola", language: 'es"' },
  { say: "both", play: "https://example.com/a.mp3" },
  { play: "http://example.com/a.mp3" },
  { play: "https://" },
  { play: `https://example.com/${"a".repeat(600)}` },
];

describe("what is not a whisper", () => {
  test.each(invalid)("%j is rejected with a fix", (whisper) => {
    expect(() => formatWhisper(whisper as Whisper)).toThrow(
      expect.objectContaining({ code: "WHISPER_INVALID", status: 400, fix: expect.stringContaining("say") }),
    );
  });

  test.each(["", "{", "7", "null", '{"say":""}', '{"play":"file:///etc/passwd"}'])("%j is not read", (text) => {
    expect(parseWhisper(text)).toBe(undefined);
  });
});
