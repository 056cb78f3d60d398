import { beforeEach, describe, expect, it } from "vitest";
import { createRTVI, type RTVI } from "./rtvi.ts";
import { createFakeTransport, type FakeTransport } from "./test/fake-transport.ts";

let transport: FakeTransport;
let rtvi: RTVI;

function start(version: string): void {
  transport = createFakeTransport();
  rtvi = createRTVI(transport);
  transport.client("client-ready", { version });
  transport.sent.length = 0;
}

/** One string per message: its type, or the state of the segment for `bot-output`. */
function summary(): string[] {
  return transport.sent.map(({ type, data }) => {
    if (type !== "bot-output") return type;
    const output = data as Record<string, unknown>;
    const progress = output.spoken_progress as { accumulated_text: string; remaining_text: string } | undefined;
    return `${output.segment_id} ${output.spoken_status ?? "shown"} ${progress ? `${progress.accumulated_text}|${progress.remaining_text}` : output.text}`;
  });
}

interface FakePlayback {
  readonly done: Promise<{ readonly interrupted: boolean }>;
  end(interrupted?: boolean): Promise<void>;
  fail(error: Error): Promise<void>;
}

/** Imitates the playback that `transport.play` returns. */
function playback(): FakePlayback {
  let resolve: (end: { readonly interrupted: boolean }) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const done = new Promise<{ readonly interrupted: boolean }>((...settle) => {
    [resolve, reject] = settle;
  });
  const nextTick = (): Promise<void> => new Promise(setImmediate);
  return {
    done,
    end(interrupted = false) {
      resolve({ interrupted });
      return nextTick();
    },
    fail(error) {
      reject(error);
      return nextTick();
    },
  };
}

describe("botSpeech for a protocol 2 client", () => {
  beforeEach(() => start("2.1.0"));

  it("sends new, in-progress and completed, each with the whole text", () => {
    transport.emit("botStartedSpeaking");
    const segment = rtvi.botSpeech("Hello there");
    void segment.progress(5);
    void segment.complete();
    const common = { text: "Hello there", aggregated_by: "sentence", segment_id: 1, will_be_spoken: true };
    const progress = (accumulated_text: string, remaining_text: string) => ({ accumulated_text, remaining_text });
    expect(transport.sent.slice(1).map(({ type, data }) => [type, data])).toEqual([
      ["bot-output", { ...common, spoken_status: "new", spoken_progress: progress("", "Hello there") }],
      ["bot-output", { ...common, spoken_status: "in-progress", spoken_progress: progress("Hello", " there") }],
      ["bot-output", { ...common, spoken_status: "completed", spoken_progress: progress("Hello there", "") }],
    ]);
  });

  it("waits until the bot starts to speak, and follows bot-started-speaking", () => {
    const segment = rtvi.botSpeech("One.");
    void segment.progress(2);
    rtvi.botSpeech("Two.");
    expect(summary()).toEqual([]);
    transport.emit("botStartedSpeaking");
    expect(summary()).toEqual(["bot-started-speaking", "1 new |One.", "1 in-progress On|e.", "2 new |Two."]);
  });

  it("is sent at once while the bot is speaking, and waits again afterwards", () => {
    transport.emit("botStartedSpeaking");
    rtvi.botSpeech("One.");
    transport.emit("botStoppedSpeaking");
    rtvi.botSpeech("Two.");
    expect(summary()).toEqual(["bot-started-speaking", "1 new |One.", "bot-stopped-speaking"]);
  });

  it("ignores progress that goes backwards or past the end", () => {
    transport.emit("botStartedSpeaking");
    const segment = rtvi.botSpeech("abcdef");
    for (const characters of [3, 2, 3, Number.NaN, -1, 4.7, 99, 5]) void segment.progress(characters);
    void segment.complete();
    segment.cancel();
    expect(summary().slice(2)).toEqual(["1 in-progress abc|def", "1 in-progress abcd|ef", "1 completed abcdef|"]);
  });

  it("cannot be cancelled after it is complete", () => {
    const segment = rtvi.botSpeech("Done.");
    void segment.complete();
    segment.cancel();
    transport.emit("botStartedSpeaking");
    expect(summary()).toEqual(["bot-started-speaking", "1 new |Done.", "1 completed Done.|"]);
  });

  it("is completed when its playback ends", async () => {
    const voice = playback();
    rtvi.botSpeech("Hello.", { playback: voice });
    transport.emit("botStartedSpeaking");
    await voice.end();
    expect(summary()).toEqual(["bot-started-speaking", "1 new |Hello.", "1 completed Hello.|"]);
  });

  it("is completed at once even if the bot has just stopped speaking", async () => {
    const voice = playback();
    rtvi.botSpeech("Hello.", { playback: voice });
    transport.emit("botStartedSpeaking");
    transport.emit("botStoppedSpeaking");
    rtvi.botSpeech("Next.");
    await voice.end();
    expect(summary().slice(2)).toEqual(["bot-stopped-speaking", "1 completed Hello.|"]);
  });

  it("leaves the rest unspoken when its playback is interrupted", async () => {
    const voice = playback();
    const segment = rtvi.botSpeech("Hello there.", { playback: voice });
    transport.emit("botStartedSpeaking");
    void segment.progress(5);
    await voice.end(true);
    void segment.progress(8);
    void segment.complete();
    expect(summary()).toEqual(["bot-started-speaking", "1 new |Hello there.", "1 in-progress Hello| there."]);
  });

  it("is not shown if interrupted before it was heard, but later output is", async () => {
    const voice = playback();
    rtvi.botSpeech("Never played.", { playback: voice });
    void rtvi.botOutput("A picture");
    rtvi.botSpeech("Played later.");
    await voice.end(true);
    expect(summary()).toEqual(["2 shown A picture"]);
    transport.emit("botStartedSpeaking");
    expect(summary().slice(1)).toEqual(["bot-started-speaking", "3 new |Played later."]);
  });

  it("is shown when its playback ends without botStartedSpeaking, after all earlier output", async () => {
    const voice = playback();
    rtvi.botSpeech("First.");
    rtvi.botSpeech("Second.", { playback: voice });
    void rtvi.botOutput("A picture");
    rtvi.botSpeech("Third.");
    await voice.end();
    expect(summary()).toEqual(["1 new |First.", "2 new |Second.", "2 completed Second.|", "3 shown A picture"]);
  });

  it("is not shown if its playback fails, and the failure is logged", async () => {
    const warnings: object[] = [];
    transport = createFakeTransport();
    rtvi = createRTVI(transport, { logger: { warn: (fields, message) => warnings.push({ ...fields, message }) } });
    transport.client("client-ready", { version: "2.1.0" });
    const voice = playback();
    rtvi.botSpeech("Hello.", { playback: voice });
    const err = new Error("synthesis failed");
    await voice.fail(err);
    transport.emit("botStartedSpeaking");
    expect(summary()).toEqual(["bot-ready", "bot-started-speaking"]);
    expect(warnings).toEqual([{ err, message: "playback of bot speech failed" }]);
  });

  it("holds at most 100 messages: older ones are sent early", () => {
    for (let n = 1; n <= 130; n++) rtvi.botSpeech(`${n}`);
    expect(summary()).toHaveLength(30);
    expect(summary()[0]).toBe("1 new |1");
    transport.emit("botStartedSpeaking");
    expect(summary()).toHaveLength(131);
  });
});

describe("botOutput for a protocol 2 client", () => {
  beforeEach(() => start("2.1.0"));

  it("is sent at once", () => {
    void rtvi.botOutput("Look.");
    expect(transport.sent).toEqual([
      {
        label: "rtvi-ai",
        type: "bot-output",
        data: { text: "Look.", aggregated_by: "sentence", segment_id: 1, will_be_spoken: false },
      },
    ]);
  });

  it("does not overtake earlier speech", () => {
    rtvi.botSpeech("Here it is:");
    void rtvi.botOutput("a picture");
    expect(summary()).toEqual([]);
    transport.emit("botStartedSpeaking");
    expect(summary()).toEqual(["bot-started-speaking", "1 new |Here it is:", "2 shown a picture"]);
  });
});

describe("output for a protocol 1 client", () => {
  beforeEach(() => start("1.3.0"));
  const outputs = (): unknown[] => transport.sent.filter(({ type }) => type === "bot-output").map(({ data }) => data);

  it("sends speech once before it is spoken, and then piece by piece", () => {
    transport.emit("botStartedSpeaking");
    const segment = rtvi.botSpeech("Hello there, you");
    void segment.progress(5);
    void segment.progress(12);
    void segment.complete();
    expect(outputs()).toEqual([
      { text: "Hello there, you", aggregated_by: "sentence", spoken: false },
      { text: "Hello", aggregated_by: "word", spoken: true },
      { text: "there,", aggregated_by: "word", spoken: true },
      { text: "you", aggregated_by: "word", spoken: true },
    ]);
  });

  it("sends the whole sentence if no progress was reported", () => {
    transport.emit("botStartedSpeaking");
    void rtvi.botSpeech("One.").complete();
    void rtvi.botSpeech("Two.").complete();
    expect(outputs()).toEqual([
      { text: "One.", aggregated_by: "sentence", spoken: false },
      { text: "One.", aggregated_by: "sentence", spoken: true },
      { text: "Two.", aggregated_by: "sentence", spoken: false },
      { text: "Two.", aggregated_by: "sentence", spoken: true },
    ]);
  });

  it("sends text that is not spoken with spoken: false", () => {
    void rtvi.botOutput("Look.", { outputType: "code" });
    expect(outputs()).toEqual([{ text: "Look.", aggregated_by: "code", spoken: false }]);
  });

  it("converts messages from before the client was ready", () => {
    transport = createFakeTransport();
    rtvi = createRTVI(transport);
    void rtvi.botOutput("Early.");
    transport.client("client-ready", { version: "1.0.0" });
    expect(outputs()).toEqual([{ text: "Early.", aggregated_by: "sentence", spoken: false }]);
  });
});
