import { beforeEach, describe, expect, it } from "vitest";
import { answerHandshake } from "./handshake.ts";
import { createRTVI, type RTVI } from "./rtvi.ts";
import { createFakeTransport, type FakeTransport } from "./test/fake-transport.ts";

let transport: FakeTransport;
let rtvi: RTVI;
let warnings: Record<string, unknown>[];

beforeEach(() => {
  transport = createFakeTransport();
  warnings = [];
  answerHandshake(transport, { logger: { warn: (fields, message) => warnings.push({ ...fields, message }) } });
  rtvi = createRTVI(transport);
});
const becomeReady = (version = "2.1.0"): void => {
  transport.client("client-ready", { version });
};

describe("before the client is ready", () => {
  it("messages wait, and follow bot-ready in order", async () => {
    void rtvi.userStartedSpeaking();
    void rtvi.sendServerMessage(1);
    transport.emit("botStartedSpeaking");
    void rtvi.botOutput("hello");
    expect(transport.sent).toEqual([]);
    becomeReady();
    void rtvi.sendServerMessage(2);
    expect(transport.sent.map(({ type }) => type)).toEqual([
      "bot-ready",
      "user-started-speaking",
      "server-message",
      "bot-started-speaking",
      "bot-output",
      "server-message",
    ]);
  });

  it("sending resolves", async () => {
    await rtvi.sendServerMessage(1);
    await rtvi.botOutput("hello");
    await rtvi.botSpeech("hello").complete();
    expect(transport.sent).toEqual([]);
  });

  it("later changes to the data have no effect", () => {
    const state = { score: 1 };
    void rtvi.sendServerMessage(state);
    state.score = 2;
    becomeReady();
    expect(transport.sent[1]?.data).toEqual({ score: 1 });
  });

  it("the latest 100 messages are kept, and the number of dropped ones is logged", () => {
    for (let n = 0; n < 130; n++) void rtvi.sendServerMessage(n);
    becomeReady();
    expect(transport.sent).toHaveLength(101);
    expect(transport.sent[1]?.data).toBe(30);
    expect(warnings).toEqual([{ dropped: 30, message: "rtvi messages dropped before the client was ready" }]);
  });

  it("kept messages are sent once, even if client-ready is repeated", () => {
    void rtvi.sendServerMessage(1);
    becomeReady();
    becomeReady();
    expect(transport.sent.filter(({ type }) => type === "server-message")).toHaveLength(1);
  });
});

describe("a message that cannot be sent", () => {
  it("rejects, and the rejection may be ignored", async () => {
    becomeReady();
    transport.refusal = Object.assign(new Error("64 KiB at most"), { code: "MESSAGE_TOO_LARGE" });
    void rtvi.sendServerMessage("x"); // vitest fails on an unhandled rejection
    await expect(rtvi.sendServerMessage("x")).rejects.toMatchObject({ code: "MESSAGE_TOO_LARGE" });
    void rtvi.botOutput("x");
    void rtvi.botSpeech("x").complete();
    transport.emit("botStartedSpeaking");
    await new Promise(setImmediate);
    expect(transport.failures).toEqual([]);
    expect(warnings).toMatchObject([{ err: transport.refusal }]);
  });

  it("because the call is over, is not an error", async () => {
    becomeReady();
    transport.refusal = Object.assign(new Error("the caller is gone"), { code: "CALL_ENDED" });
    await expect(rtvi.sendServerMessage("x")).resolves.toBeUndefined();
    transport.emit("botStoppedSpeaking");
    transport.client("client-ready", { version: "2.1.0" });
    await new Promise(setImmediate);
    expect(warnings).toEqual([]);
  });

  it("is logged if it waited for the client", async () => {
    void rtvi.sendServerMessage("x");
    transport.refusal = new Error("64 KiB at most");
    becomeReady();
    await new Promise(setImmediate);
    expect(warnings.filter(({ type }) => type === "server-message")).toHaveLength(1);
  });

  it("because its data is invalid, rejects with the field's name", async () => {
    const wrong = { text: undefined, final: true } as never;
    await expect(rtvi.userTranscription(wrong)).rejects.toThrow(
      'RTVI message "user-transcription" not sent: data.text must be string.',
    );
    await expect(rtvi.error(5 as never)).rejects.toThrow("data.error must be string");
  });

  it("because it cannot be converted to JSON, rejects at once", async () => {
    await expect(rtvi.sendServerMessage(1n)).rejects.toThrow(TypeError);
    becomeReady();
    await expect(rtvi.sendServerMessage(1n)).rejects.toThrow(TypeError);
  });
});
