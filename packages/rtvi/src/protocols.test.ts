import { describe, expect, it } from "vitest";
import { answerHandshake } from "./handshake.ts";
import { createRTVI, type RTVI, type RTVIOptions } from "./rtvi.ts";
import { createFakeTransport, type FakeTransport } from "./test/fake-transport.ts";

const moment = "2026-01-02T03:04:05.000Z";

/** A bot that reports everything, and its ready client. */
function readyBot(
  version: string,
  options: RTVIOptions = {},
): { readonly transport: FakeTransport; readonly rtvi: RTVI } {
  const transport = createFakeTransport();
  const rtvi = createRTVI(transport, options);
  transport.client("client-ready", { version });
  transport.sent.length = 0;
  return { transport, rtvi };
}

function sent({ sent: messages }: FakeTransport): [string, unknown][] {
  return messages.map(({ type, data }) => [type, data]);
}

describe("a client of protocol 2.2 receives", () => {
  it("the user's typed text as user-input before the bot does, with the id of the message", () => {
    const { transport, rtvi } = readyBot("2.2.0");
    rtvi.on("sendText", () => void rtvi.botOutput("Hello."));
    transport.client("send-text", { content: "hi" }, "t1");
    expect(sent(transport)).toMatchObject([
      ["user-input", { text: "hi", input_type: "chat", final: true, msg_id: "t1" }],
      ["bot-output", { text: "Hello." }],
    ]);
    const { timestamp, user_id } = Object(transport.sent[0]?.data);
    expect(Math.abs(Date.parse(String(timestamp)) - Date.now())).toBeLessThan(5_000);
    expect(user_id).toBeUndefined();
  });

  it("the user-input of a text that was held, when the bot gets it", () => {
    const { transport, rtvi } = readyBot("2.2.0");
    transport.client("send-text", { content: "hi" });
    expect(sent(transport)).toEqual([]);
    rtvi.on("sendText", () => undefined);
    expect(sent(transport)).toMatchObject([["user-input", { text: "hi" }]]);
  });

  it("no user-input for an invalid text", () => {
    const { transport, rtvi } = readyBot("2.2.0");
    rtvi.on("sendText", () => undefined);
    transport.client("send-text", { content: 7 });
    expect(sent(transport)).toMatchObject([["error-response", {}]]);
  });

  it("who typed a text, if several participants share the call; a client cannot name another", () => {
    const { transport, rtvi } = readyBot("2.2.0");
    rtvi.on("sendText", () => undefined);
    const message = { label: "rtvi-ai", type: "send-text", id: "1", data: { content: "hi" }, sender: "bob" };
    transport.emit("appMessage", message, "ann");
    transport.emit("appMessage", message);
    expect(transport.sent.map(({ data }) => (data as { user_id?: string }).user_id)).toEqual(["ann", undefined]);
  });

  it("who typed a text that arrived before createRTVI", () => {
    const transport = createFakeTransport();
    answerHandshake(transport);
    transport.client("client-ready", { version: "2.2.0" });
    transport.emit("appMessage", { label: "rtvi-ai", type: "send-text", id: "1", data: { content: "hi" } }, "ann");
    createRTVI(transport).on("sendText", () => undefined);
    expect(sent(transport).slice(1)).toMatchObject([["user-input", { user_id: "ann" }]]);
  });

  it("transcriptions as user-input too", () => {
    const { transport, rtvi } = readyBot("2.2.0");
    const transcription = { text: "hel", user_id: "ann", timestamp: moment, final: false };
    void rtvi.userTranscription({ text: "hel", final: false, userId: "ann", timestamp: moment });
    expect(sent(transport)).toEqual([
      ["user-input", { ...transcription, input_type: "transcription" }],
      ["user-transcription", transcription],
    ]);
  });

  it("backchannels of the user and of the bot", () => {
    const { transport, rtvi } = readyBot("2.2.0");
    void rtvi.userInput({ text: "mhm", type: "backchannel", timestamp: moment });
    rtvi.botSpeech("uh-huh", { outputType: "backchannel" });
    transport.emit("botStartedSpeaking");
    expect(sent(transport)).toMatchObject([
      ["user-input", { text: "mhm", input_type: "backchannel", timestamp: moment, final: true }],
      ["bot-started-speaking", undefined],
      ["bot-output", { text: "uh-huh", output_type: "backchannel", spoken_status: "new" }],
    ]);
  });

  it("the form of the bot's output under its three names", () => {
    const { transport, rtvi } = readyBot("2.2.0");
    void rtvi.botOutput("a list", { outputType: "code" });
    const names = { output_type: "code", text_type: "code", aggregated_by: "code" };
    expect(sent(transport)).toEqual([
      ["bot-output", { text: "a list", ...names, segment_id: 1, will_be_spoken: false, spoken_status: "new" }],
    ]);
  });

  it("bot-interrupted for every interruption", () => {
    const { transport } = readyBot("2.2.0");
    transport.emit("botInterrupted");
    transport.emit("botInterrupted");
    expect(transport.sent).toEqual(Array(2).fill({ label: "rtvi-ai", type: "bot-interrupted" }));
  });

  it("raw texts and markers if the bot enables them", () => {
    const options = { rawTexts: { stt: true, llm: true, tts: true }, llmMarkers: true };
    const { transport, rtvi } = readyBot("2.2.0", options);
    const transcription = { text: "hi", user_id: "", timestamp: moment, final: true };
    void rtvi.userTranscription({ text: "hi", final: true, timestamp: moment });
    void rtvi.botLlmText("hel");
    void rtvi.botTtsText("hello");
    void rtvi.botLlmMarker({ marker: "✓", kind: "complete", raw: "✓ hello", markers: ["✓", "○"] });
    void rtvi.botLlmMarker({ marker: "", raw: "hello" });
    expect(sent(transport).slice(1)).toEqual([
      ["stt-raw-text", transcription],
      ["user-transcription", transcription],
      ["llm-raw-text", { text: "hel" }],
      ["bot-llm-text", { text: "hel" }],
      ["tts-raw-text", { text: "hello" }],
      ["bot-tts-text", { text: "hello" }],
      ["bot-llm-marker", { text: "✓", kind: "complete", raw: "✓ hello", markers: ["✓", "○"] }],
      ["bot-llm-marker", { text: "", raw: "hello", markers: [] }],
    ]);
  });

  it("no raw texts and no markers by default", () => {
    const { transport, rtvi } = readyBot("2.2.0");
    void rtvi.userTranscription({ text: "hi", final: true });
    void rtvi.botLlmText("hel");
    void rtvi.botTtsText("hello");
    void rtvi.botLlmMarker({ marker: "✓", raw: "✓ hello" });
    expect(transport.sent.map(({ type }) => type)).toEqual([
      "user-input",
      "user-transcription",
      "bot-llm-text",
      "bot-tts-text",
    ]);
  });
});

describe.each(["1.4.0", "2.0.0", "2.1.0", "0.3.0", "2.x", undefined])("a client of protocol %s", (version) => {
  it("receives nothing that protocol 2.2 added, also of what was sent before it was ready", () => {
    const transport = createFakeTransport();
    const rtvi = createRTVI(transport, { rawTexts: { stt: true, llm: true, tts: true }, llmMarkers: true });
    rtvi.on("sendText", () => undefined);
    const sendAll = (): void => {
      transport.client("send-text", { content: "hi" });
      transport.emit("botInterrupted");
      void rtvi.userTranscription({ text: "hi", final: true });
      void rtvi.userInput({ text: "mhm", type: "backchannel" });
      void rtvi.botLlmText("hel");
      void rtvi.botTtsText("hello");
      void rtvi.botLlmMarker({ marker: "✓", raw: "✓ hello" });
      void rtvi.botOutput("uh-huh", { outputType: "backchannel" });
    };
    sendAll();
    transport.client("client-ready", version === undefined ? {} : { version });
    sendAll();
    const types = transport.sent.map(({ type }) => type).filter((type) => type !== "error-response");
    const texts = ["user-transcription", "bot-llm-text", "bot-tts-text"];
    expect(types).toEqual(["bot-ready", ...texts, ...texts]);
  });

  it("receives the form of the bot's output under its old name only", () => {
    const { transport, rtvi } = readyBot(version ?? "");
    void rtvi.botOutput("a list", { outputType: "code" });
    const position = version === "1.4.0" ? { spoken: false } : { segment_id: 1, will_be_spoken: false };
    expect(sent(transport)).toEqual([["bot-output", { text: "a list", aggregated_by: "code", ...position }]]);
  });
});
