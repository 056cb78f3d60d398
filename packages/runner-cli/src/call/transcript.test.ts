import { expect, test } from "vitest";
import { createTranscript } from "./transcript.ts";

const message = (type: string, data: object) => ({ label: "rtvi-ai", type, data });

test("final transcriptions of the caller and each output of the bot are lines, once", () => {
  const transcript = createTranscript();
  const messages = [
    message("user-transcription", { text: "hel", final: false }),
    message("user-transcription", { text: "hello", final: true }),
    message("bot-output", { text: "Good morning.", spoken_status: "new" }),
    message("bot-output", { text: "Good morning.", spoken_status: "in-progress" }),
    message("bot-transcription", { text: "Good morning." }),
  ];
  expect(transcript.read(messages)).toEqual([
    { speaker: "caller", text: "hello" },
    { speaker: "bot", text: "Good morning." },
  ]);
  const later = [
    message("bot-transcription", { text: "You pressed: 5" }),
    message("bot-output", { text: "You pressed: 5" }),
  ];
  expect(transcript.read(later)).toEqual([{ speaker: "bot", text: "You pressed: 5" }]);
});

test("bots that send bot-transcription only have lines too; other messages and malformed ones have none", () => {
  const messages = [
    message("bot-transcription", { text: "Hi." }),
    null,
    "text",
    5,
    { type: "bot-output" },
    message("x", {}),
  ];
  expect(createTranscript().read(messages)).toEqual([{ speaker: "bot", text: "Hi." }]);
});
