import { beforeEach, describe, expect, it } from "vitest";
import { createRTVI } from "./rtvi.ts";
import { createFakeTransport, type FakeTransport } from "./test/fake-transport.ts";

let transport: FakeTransport;

beforeEach(() => {
  transport = createFakeTransport();
  createRTVI(transport);
  transport.client("client-ready", { version: "2.2.0" });
  transport.sent.length = 0;
});

function report(text: string, heardText: string, ended = false, id = 1): void {
  transport.emit("botSpeechProgress", { id, text, heardText, ended });
}

/** The messages since the last call, in short. */
function sent(): string[] {
  return transport.sent.splice(0).map(({ type, data }) => {
    const { text, segment_id, spoken_status, spoken_progress } = data as {
      readonly text: string;
      readonly segment_id?: number;
      readonly spoken_status?: string;
      readonly spoken_progress?: { readonly accumulated_text: string; readonly remaining_text: string };
    };
    if (type !== "bot-output") return `${type} ${text}`;
    return `${segment_id} ${spoken_status} ${spoken_progress?.accumulated_text}|${spoken_progress?.remaining_text}`;
  });
}

describe("the text of a speech", () => {
  it("appears sentence by sentence as the caller hears it", () => {
    const text = "Hello there. How are you?";
    report(text, "Hello");
    expect(sent()).toEqual(["bot-tts-text Hello", "1 new |Hello there.", "1 in-progress Hello| there."]);
    report(text, "Hello there.");
    expect(sent()).toEqual(["bot-tts-text there.", "1 completed Hello there.|", "bot-transcription Hello there."]);
    report(text, text, true);
    expect(sent()).toEqual([
      "bot-tts-text How are you?",
      "2 new |How are you?",
      "2 completed How are you?|",
      "bot-transcription How are you?",
    ]);
  });

  it("is cut at the word that the caller heard last, and later sentences are not sent", () => {
    const text = "One two three. Four.";
    report(text, "One");
    sent();
    report(text, "One two", true);
    expect(sent()).toEqual(["bot-tts-text two", "1 in-progress One two| three.", "bot-transcription One two"]);
  });

  it("is not sent again when a queued speech of which nothing was heard ends", () => {
    const text = "One two three. Four.";
    report(text, "One");
    sent();
    report("Five.", "", true, 2);
    report(text, "One two");
    expect(sent()).toEqual(["bot-tts-text two", "1 in-progress One two| three."]);
    report("Six.", "Six.", true, 3);
    expect(sent()[0]).toBe("bot-tts-text Six.");
  });

  it("shows no word of a sentence that was cut before it began to be shown", () => {
    report("One two. Three four. Five.", "One two. Three", true);
    expect(sent()).toEqual([
      "bot-tts-text One two. Three",
      "1 new |One two.",
      "1 completed One two.|",
      "bot-transcription One two.",
      "2 new |Three",
      "2 completed Three|",
      "bot-transcription Three",
    ]);
  });

  it("shows nothing if nothing was heard", () => {
    report("Hello", "");
    report("Hello", "", true);
    expect(sent()).toEqual([]);
  });

  it("grows in several segments if its text comes while it is heard, without splitting words", () => {
    report("Well, let", "Well,");
    report("Well, let me see.", "Well, let me");
    report("Well, let me see.", "Well, let me see.", true);
    expect(sent().filter((line) => line.startsWith("bot-transcription"))).toEqual([
      "bot-transcription Well,",
      "bot-transcription let me see.",
    ]);
  });

  it("begins again with the next speech, also if the end of the last one was not reported", () => {
    report("First.", "First.");
    report("Second one.", "Second", false, 2);
    report("Second one.", "Second one.", true, 2);
    expect(sent().filter((line) => line.includes("completed"))).toEqual([
      "1 completed First.|",
      "2 completed Second one.|",
    ]);
  });

  it("does not wait for botStartedSpeaking, because a speech without audio is heard at once", () => {
    report("Only text.", "Only text.", true);
    expect(sent()).toContain("1 new |Only text.");
  });
});
