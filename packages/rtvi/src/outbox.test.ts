import { beforeEach, describe, expect, it } from "vitest";
import { answerHandshake } from "./handshake.ts";
import { createRTVI, type RTVI } from "./rtvi.ts";
import { createFakeTransport, type FakeTransport } from "./test/fake-transport.ts";

let transport: FakeTransport;
let rtvi: RTVI;
let warnings: string[];

beforeEach(() => {
  transport = createFakeTransport();
  warnings = [];
  answerHandshake(transport, { logger: { warn: (line) => warnings.push(line) } });
  rtvi = createRTVI(transport);
});
const getReady = (version = "2.1.0"): void => {
  transport.client("client-ready", { version });
};

describe("before the client is ready", () => {
  it("nothing is sent; afterwards all of it, in order, after bot-ready", async () => {
    void rtvi.userStartedSpeaking();
    void rtvi.sendServerMessage(1);
    transport.emit("botStartedSpeaking");
    void rtvi.botOutput("hello");
    expect(transport.sent).toEqual([]);
    getReady();
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

  it("a send hangs nobody", async () => {
    await rtvi.sendServerMessage(1);
    await rtvi.botOutput("hello");
    await rtvi.botSpeech("hello").complete();
    expect(transport.sent).toEqual([]);
  });

  it("what is sent is what it was when it was said", () => {
    const state = { score: 1 };
    void rtvi.sendServerMessage(state);
    state.score = 2;
    getReady();
    expect(transport.sent[1]?.data).toEqual({ score: 1 });
  });

  it("the latest 100 messages are kept, and the loss is logged", () => {
    for (let n = 0; n < 130; n++) void rtvi.sendServerMessage(n);
    getReady();
    expect(transport.sent).toHaveLength(101);
    expect(transport.sent[1]?.data).toBe(30);
    expect(warnings).toEqual(["30 RTVI messages were dropped before the client was ready."]);
  });

  it("messages go out once, however often the client says that it is ready", () => {
    void rtvi.sendServerMessage(1);
    getReady();
    getReady();
    expect(transport.sent.filter(({ type }) => type === "server-message")).toHaveLength(1);
  });
});

describe("a message that cannot be sent", () => {
  it("rejects, and harms nothing when nobody cares", async () => {
    getReady();
    transport.refusal = Object.assign(new Error("64 KiB at most"), { code: "MESSAGE_TOO_LARGE" });
    void rtvi.sendServerMessage("x"); // vitest fails on an unhandled rejection
    await expect(rtvi.sendServerMessage("x")).rejects.toMatchObject({ code: "MESSAGE_TOO_LARGE" });
    void rtvi.botOutput("x");
    void rtvi.botSpeech("x").complete();
    transport.emit("botStartedSpeaking");
    await new Promise(setImmediate);
    expect(transport.failures).toEqual([]);
    expect(warnings).toEqual([expect.stringContaining("64 KiB at most")]);
  });

  it("because the call is over, is nobody's mistake", async () => {
    getReady();
    transport.refusal = Object.assign(new Error("the caller is gone"), { code: "CALL_ENDED" });
    await expect(rtvi.sendServerMessage("x")).resolves.toBeUndefined();
    transport.emit("botStoppedSpeaking");
    transport.client("client-ready", { version: "2.1.0" });
    await new Promise(setImmediate);
    expect(warnings).toEqual([]);
  });

  it("is logged when it had to wait for the client", async () => {
    void rtvi.sendServerMessage("x");
    transport.refusal = new Error("64 KiB at most");
    getReady();
    await new Promise(setImmediate);
    expect(warnings.filter((line) => line.includes("server-message"))).toHaveLength(1);
  });

  it("because it is not what the client reads, rejects with the field", async () => {
    const wrong = { text: undefined, final: true } as never;
    await expect(rtvi.userTranscription(wrong)).rejects.toThrow(
      'An RTVI "user-transcription" was not sent: data.text must be string.',
    );
    await expect(rtvi.error(5 as never)).rejects.toThrow("data.error must be string");
  });

  it("because JSON cannot carry it, rejects at once", async () => {
    await expect(rtvi.sendServerMessage(1n)).rejects.toThrow(TypeError);
    getReady();
    await expect(rtvi.sendServerMessage(1n)).rejects.toThrow(TypeError);
  });
});
