import { expect, test } from "vitest";
import { closeLast, heard, said, type Transcript, typed } from "./transcript.ts";

/** One line per message: who, and the text, with what was not spoken in brackets. */
function lines(transcript: Transcript): string[] {
  return transcript.map(({ from, segments }) => {
    const texts = segments.map(({ text, spoken }) => {
      const rest = text.slice(spoken);
      return text.slice(0, spoken) + (rest && `[${rest}]`);
    });
    return `${from}: ${texts.join(" ")}`;
  });
}

const segment = (id: number, text: string, spoken: string) => ({
  text,
  segment_id: id,
  will_be_spoken: true,
  spoken_progress: { accumulated_text: spoken },
});

test("an interim transcription is replaced, and a final one starts a new message", () => {
  const texts = [
    { text: "good", final: false },
    { text: "good morning", final: true },
    { text: "hello", final: false },
  ];
  expect(lines(texts.reduce(heard, [] as Transcript))).toEqual(["you: good morning", "you: hello"]);
});

test("sentences of one answer are one message, and the spoken part grows", () => {
  const steps = [segment(1, "Hello.", ""), segment(1, "Hello.", "Hello."), segment(2, "How are you?", "How")];
  const answered = steps.reduce(said, typed([], "hi"));
  expect(lines(answered)).toEqual(["you: hi", "bot: Hello. How[ are you?]"]);
  const next = said(closeLast(answered), segment(3, "Bye.", ""));
  expect(lines(next)).toEqual(["you: hi", "bot: Hello. How[ are you?]", "bot: [Bye.]"]);
  // A late report about an earlier segment changes it where it is.
  expect(lines(said(next, segment(2, "How are you?", "How are you?")))[1]).toBe("bot: Hello. How are you?");
});

test("text that is not spoken, and text of older bots, is shown at once", () => {
  const transcript = said(said([], { text: "a", segment_id: 1, will_be_spoken: false }), { text: "b" });
  expect(lines(said(transcript, { text: "c" }))).toEqual(["bot: a b c"]);
});

test("the bot's answer does not end what the caller still says", () => {
  const transcript = said(heard([], { text: "well", final: false }), segment(1, "Yes?", ""));
  expect(lines(heard(transcript, { text: "well then", final: true }))).toEqual(["you: well then", "bot: [Yes?]"]);
});

test("a long call keeps the last 500 messages", () => {
  let transcript: Transcript = [];
  for (let index = 0; index < 510; index++) transcript = typed(transcript, String(index));
  expect(transcript).toHaveLength(500);
  expect(lines(transcript)[0]).toBe("you: 10");
  expect(new Set(transcript.map(({ id }) => id)).size).toBe(500);
});
