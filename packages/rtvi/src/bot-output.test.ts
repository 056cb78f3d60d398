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

/** One line for each message: its type, or for a bot-output what it says of its segment. */
function told(): string[] {
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

/** A playback as `transport.play` returns it. */
function playback(): FakePlayback {
  let resolve: (end: { readonly interrupted: boolean }) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const done = new Promise<{ readonly interrupted: boolean }>((...settle) => {
    [resolve, reject] = settle;
  });
  const settled = (): Promise<void> => new Promise(setImmediate);
  return {
    done,
    end(interrupted = false) {
      resolve({ interrupted });
      return settled();
    },
    fail(error) {
      reject(error);
      return settled();
    },
  };
}

describe("speech to a client of 2.x", () => {
  beforeEach(() => start("2.1.0"));

  it("is told as new, in progress and completed, each with the whole text", () => {
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

  it("waits until the bot is heard, and comes after bot-started-speaking", () => {
    const segment = rtvi.botSpeech("One.");
    void segment.progress(2);
    rtvi.botSpeech("Two.");
    expect(told()).toEqual([]);
    transport.emit("botStartedSpeaking");
    expect(told()).toEqual(["bot-started-speaking", "1 new |One.", "1 in-progress On|e.", "2 new |Two."]);
  });

  it("goes straight out while the bot is heard, and waits again once it is not", () => {
    transport.emit("botStartedSpeaking");
    rtvi.botSpeech("One.");
    transport.emit("botStoppedSpeaking");
    rtvi.botSpeech("Two.");
    expect(told()).toEqual(["bot-started-speaking", "1 new |One.", "bot-stopped-speaking"]);
  });

  it("never goes back, and never past its end", () => {
    transport.emit("botStartedSpeaking");
    const segment = rtvi.botSpeech("abcdef");
    for (const characters of [3, 2, 3, Number.NaN, -1, 4.7, 99, 5]) void segment.progress(characters);
    void segment.complete();
    segment.cancel();
    expect(told().slice(2)).toEqual(["1 in-progress abc|def", "1 in-progress abcd|ef", "1 completed abcdef|"]);
  });

  it("that is complete cannot be cancelled any more", () => {
    const segment = rtvi.botSpeech("Done.");
    void segment.complete();
    segment.cancel();
    transport.emit("botStartedSpeaking");
    expect(told()).toEqual(["bot-started-speaking", "1 new |Done.", "1 completed Done.|"]);
  });

  it("is completed when its playback ends", async () => {
    const voice = playback();
    rtvi.botSpeech("Hello.", { playback: voice });
    transport.emit("botStartedSpeaking");
    await voice.end();
    expect(told()).toEqual(["bot-started-speaking", "1 new |Hello.", "1 completed Hello.|"]);
  });

  it("is completed at once, though the bot just fell silent", async () => {
    const voice = playback();
    rtvi.botSpeech("Hello.", { playback: voice });
    transport.emit("botStartedSpeaking");
    transport.emit("botStoppedSpeaking");
    rtvi.botSpeech("Next.");
    await voice.end();
    expect(told().slice(2)).toEqual(["bot-stopped-speaking", "1 completed Hello.|"]);
  });

  it("stays unspoken from where its playback was interrupted", async () => {
    const voice = playback();
    const segment = rtvi.botSpeech("Hello there.", { playback: voice });
    transport.emit("botStartedSpeaking");
    void segment.progress(5);
    await voice.end(true);
    void segment.progress(8);
    void segment.complete();
    expect(told()).toEqual(["bot-started-speaking", "1 new |Hello there.", "1 in-progress Hello| there."]);
  });

  it("is not shown when it was interrupted before it was heard; what follows is", async () => {
    const voice = playback();
    rtvi.botSpeech("Never heard.", { playback: voice });
    void rtvi.botOutput("A picture");
    rtvi.botSpeech("Heard later.");
    await voice.end(true);
    expect(told()).toEqual(["2 shown A picture"]);
    transport.emit("botStartedSpeaking");
    expect(told().slice(1)).toEqual(["bot-started-speaking", "3 new |Heard later."]);
  });

  it("is shown when its playback ended though nothing told of it, with all that was said before", async () => {
    const voice = playback();
    rtvi.botSpeech("First.");
    rtvi.botSpeech("Second.", { playback: voice });
    void rtvi.botOutput("A picture");
    rtvi.botSpeech("Third.");
    await voice.end();
    expect(told()).toEqual(["1 new |First.", "2 new |Second.", "2 completed Second.|", "3 shown A picture"]);
  });

  it("whose playback fails is not shown, and the failure is logged", async () => {
    const warnings: string[] = [];
    transport = createFakeTransport();
    rtvi = createRTVI(transport, { logger: { warn: (line) => warnings.push(line) } });
    transport.client("client-ready", { version: "2.1.0" });
    const voice = playback();
    rtvi.botSpeech("Hello.", { playback: voice });
    await voice.fail(new Error("no voice today"));
    transport.emit("botStartedSpeaking");
    expect(told()).toEqual(["bot-ready", "bot-started-speaking"]);
    expect(warnings).toEqual([expect.stringContaining("no voice today")]);
  });

  it("that is never heard takes bounded memory: the oldest text is shown early", () => {
    for (let n = 1; n <= 130; n++) rtvi.botSpeech(`${n}`);
    expect(told()).toHaveLength(30);
    expect(told()[0]).toBe("1 new |1");
    transport.emit("botStartedSpeaking");
    expect(told()).toHaveLength(131);
  });
});

describe("text that is only shown, to a client of 2.x", () => {
  beforeEach(() => start("2.1.0"));

  it("goes out at once", () => {
    void rtvi.botOutput("Look.");
    expect(transport.sent).toEqual([
      {
        label: "rtvi-ai",
        type: "bot-output",
        data: { text: "Look.", aggregated_by: "sentence", segment_id: 1, will_be_spoken: false },
      },
    ]);
  });

  it("does not overtake speech that was said before it", () => {
    rtvi.botSpeech("Here it is:");
    void rtvi.botOutput("a picture");
    expect(told()).toEqual([]);
    transport.emit("botStartedSpeaking");
    expect(told()).toEqual(["bot-started-speaking", "1 new |Here it is:", "2 shown a picture"]);
  });
});

describe("text to a client of protocol 1", () => {
  beforeEach(() => start("1.3.0"));
  const outputs = (): unknown[] => transport.sent.filter(({ type }) => type === "bot-output").map(({ data }) => data);

  it("is told once before it is spoken, and then piece by piece", () => {
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

  it("is told whole when nobody told of its progress", () => {
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

  it("that is only shown is told as unspoken", () => {
    void rtvi.botOutput("Look.", { aggregatedBy: "code" });
    expect(outputs()).toEqual([{ text: "Look.", aggregated_by: "code", spoken: false }]);
  });

  it("has that form too when it was said before the client was ready", () => {
    transport = createFakeTransport();
    rtvi = createRTVI(transport);
    void rtvi.botOutput("Early.");
    transport.client("client-ready", { version: "1.0.0" });
    expect(outputs()).toEqual([{ text: "Early.", aggregated_by: "sentence", spoken: false }]);
  });
});
