import { describe, expect, it, vi } from "vitest";
import type { ClientMessage, ClientRequest, SentText } from "./client-events.ts";
import { answerHandshake } from "./handshake.ts";
import { createRTVI, type RTVI } from "./rtvi.ts";
import { createFakeTransport, type FakeTransport } from "./test/fake-transport.ts";

/** A bot whose client is ready; `sent` starts after bot-ready. */
function readyBot(version = "2.1.0"): { readonly transport: FakeTransport; readonly rtvi: RTVI } {
  const transport = createFakeTransport();
  answerHandshake(transport);
  const rtvi = createRTVI(transport);
  transport.client("client-ready", { version });
  transport.sent.length = 0;
  return { transport, rtvi };
}

describe("ready", () => {
  it("resolves with the client", async () => {
    const transport = createFakeTransport();
    const rtvi = createRTVI(transport);
    expect(rtvi.client).toBeUndefined();
    transport.client("client-ready", { version: "2.1.0", about: { library: "@pipecat-ai/client-js" } });
    const client = { version: "2.1.0", about: { library: "@pipecat-ai/client-js" }, legacy: false };
    expect(await rtvi.ready).toEqual(client);
    expect(rtvi.client).toEqual(client);
  });

  it("resolves if the client was ready before createRTVI", async () => {
    const transport = createFakeTransport();
    answerHandshake(transport);
    transport.client("client-ready", { version: "1.3.0" });
    expect(await createRTVI(transport).ready).toMatchObject({ version: "1.3.0", legacy: true });
  });

  it.each([
    ["a list", []],
    ["no library", { platform: "x" }],
    ["a number for a name", { library: "x", platform: 3 }],
  ])("ignores an `about` that is %s", async (_, about) => {
    const transport = createFakeTransport();
    const rtvi = createRTVI(transport);
    transport.client("client-ready", { version: "2.1.0", about });
    expect(await rtvi.ready).toEqual({ version: "2.1.0", about: undefined, legacy: false });
  });

  it("resolves with the first client; messages have the format of the latest", async () => {
    const { transport, rtvi } = readyBot("2.1.0");
    transport.client("client-ready", { version: "1.4.0" });
    void rtvi.botOutput("Welcome back.");
    expect(await rtvi.ready).toMatchObject({ version: "2.1.0" });
    expect(rtvi.client).toMatchObject({ version: "1.4.0" });
    expect(transport.sent.at(-1)?.data).toEqual({ text: "Welcome back.", aggregated_by: "sentence", spoken: false });
  });

  it("resolves with undefined if the call ends first", async () => {
    const transport = createFakeTransport();
    const { ready } = createRTVI(transport);
    await transport.end();
    expect(await ready).toBeUndefined();
  });
});

describe("client messages", () => {
  it("reach the bot, and the bot's answers reach the client", () => {
    const { transport, rtvi } = readyBot();
    rtvi.on("clientMessage", (message) => {
      if (message.type === "sum") void message.respond((message.data as number[]).reduce((sum, term) => sum + term));
      else void message.error("unknown request");
    });
    transport.client("client-message", { t: "sum", d: [1, 2, 3] }, "q1");
    transport.client("client-message", { t: "product" }, "q2");
    expect(transport.sent).toEqual([
      { label: "rtvi-ai", type: "server-response", id: "q1", data: { t: "sum", d: 6 } },
      { label: "rtvi-ai", type: "error-response", id: "q2", data: { error: "unknown request" } },
    ]);
  });

  it("may be answered without data", () => {
    const { transport, rtvi } = readyBot();
    rtvi.on("clientMessage", (message) => void message.respond());
    transport.client("client-message", { t: "ping", d: null }, "q1");
    expect(transport.sent).toEqual([{ label: "rtvi-ai", type: "server-response", id: "q1", data: { t: "ping" } }]);
  });

  it.each([
    [{ content: "hi" }, { content: "hi", runImmediately: true, audioResponse: true }],
    [
      { content: "hi", options: {} },
      { content: "hi", runImmediately: true, audioResponse: true },
    ],
    [
      { content: "hi", options: null },
      { content: "hi", runImmediately: true, audioResponse: true },
    ],
    [
      { content: "hi", options: { run_immediately: false, audio_response: false } },
      { content: "hi", runImmediately: false, audioResponse: false },
    ],
  ])("send-text %j becomes %j", (data, expected) => {
    const { transport, rtvi } = readyBot();
    const texts: SentText[] = [];
    rtvi.on("sendText", (text) => texts.push(text));
    transport.client("send-text", data, "t1");
    expect(texts).toMatchObject([{ id: "t1", ...expected }]);
    expect(transport.sent).toEqual([]);
  });

  it.each([
    ["client-message", undefined, "data must have required properties t"],
    ["client-message", { t: 5 }, "data.t must be string"],
    ["send-text", {}, "data must have required properties content"],
    ["send-text", { content: ["hi"] }, "data.content must be string"],
    ["send-text", { content: "hi", options: { audio_response: "no" } }, "data.options.audio_response must be boolean"],
    ["send-text", { content: "hi", options: 1 }, "data.options must be object"],
  ])("%s with %j is answered with the field's name and emits no event", (type, data, problem) => {
    const { transport, rtvi } = readyBot();
    const listener = vi.fn();
    rtvi.on("clientMessage", listener);
    rtvi.on("sendText", listener);
    transport.client(type, data, "bad");
    expect(transport.sent).toEqual([
      { label: "rtvi-ai", type: "error-response", id: "bad", data: { error: `Invalid message: ${problem}` } },
    ]);
    expect(listener).not.toHaveBeenCalled();
    expect(transport.failures).toEqual([]);
  });

  it.each(["append-to-context", "constructor", "__proto__", ""])("of type %j are unsupported", (type) => {
    const { transport } = readyBot();
    transport.client(type, {}, "u");
    expect(transport.sent).toEqual([
      { label: "rtvi-ai", type: "error-response", id: "u", data: { error: `Unsupported type ${type}` } },
    ]);
  });

  it("with a long type are quoted shortened", () => {
    const { transport } = readyBot();
    transport.client("x".repeat(100_000));
    expect(JSON.stringify(transport.sent).length).toBeLessThan(300);
  });

  it("from before createRTVI or before the listener are delivered in order", async () => {
    const transport = createFakeTransport();
    transport.client("client-ready", { version: "2.1.0" });
    transport.client("client-message", { t: "1" });
    answerHandshake(transport);
    transport.client("client-message", { t: "2" });
    transport.on("appMessage", () => undefined); // takes the events that the transport holds
    const rtvi = createRTVI(transport);
    transport.client("client-message", { t: "3" });
    await Promise.resolve();
    const types: string[] = [];
    rtvi.on("clientMessage", ({ type }) => types.push(type));
    transport.client("client-message", { t: "4" });
    expect(types).toEqual(["1", "2", "3", "4"]);
  });

  it("without a listener are held; if there are more than 50, the oldest are rejected", () => {
    const { transport, rtvi } = readyBot();
    for (let n = 0; n < 60; n++) transport.client("client-message", { t: `${n}` }, `q${n}`);
    expect(transport.sent.map(({ type, id }) => `${type} ${id}`)).toEqual(
      Array.from({ length: 10 }, (_, n) => `error-response q${n}`),
    );
    const types: string[] = [];
    rtvi.on("clientMessage", ({ type }) => types.push(type));
    expect(types).toHaveLength(50);
    expect(types[0]).toBe("10");
  });

  it("from before createRTVI are limited to the latest 50; the others are not answered", () => {
    const transport = createFakeTransport();
    answerHandshake(transport);
    transport.client("client-ready", { version: "2.1.0" });
    for (let n = 0; n < 60; n++) transport.client("client-message", { t: `${n}` });
    const types: string[] = [];
    createRTVI(transport).on("clientMessage", ({ type }) => types.push(type));
    expect(types).toHaveLength(50);
    expect(types[0]).toBe("10");
    expect(transport.sent.map(({ type }) => type)).toEqual(["bot-ready"]);
  });

  it("do not reach a removed listener, but the others", () => {
    const { transport, rtvi } = readyBot();
    const listener = vi.fn();
    const stop = rtvi.on("clientMessage", listener);
    rtvi.on("clientMessage", listener);
    stop();
    transport.client("client-message", { t: "x" });
    expect(listener).toHaveBeenCalledTimes(1);
  });

  it("pass an exception of their listener to the transport", () => {
    const { transport, rtvi } = readyBot();
    const bug = new Error("bug in the bot");
    rtvi.on("clientMessage", () => {
      throw bug;
    });
    transport.client("client-message", { t: "x" });
    expect(transport.failures).toEqual([bug]);
  });

  it("pass the rejection of an async listener to the transport, also if they were held", async () => {
    const transport = createFakeTransport();
    answerHandshake(transport);
    transport.client("client-ready", { version: "2.2.0" });
    transport.client("client-message", { t: "from before createRTVI" });
    const rtvi = createRTVI(transport);
    transport.client("client-message", { t: "from before the listener" });
    transport.emit("dtmf", "1");
    rtvi.on("clientMessage", async ({ type }) => {
      throw new Error(type);
    });
    rtvi.on("dtmf", async (key) => {
      throw new Error(key);
    });
    transport.client("client-message", { t: "later" });
    transport.client("dtmf", { buttons: ["2", "3"] });
    transport.emit("dtmf", "4");
    await new Promise((resolve) => setImmediate(resolve));
    expect(transport.failures.map((error) => (error as Error).message).sort()).toEqual([
      "1",
      "2",
      "4",
      "from before createRTVI",
      "from before the listener",
      "later",
    ]);
  });

  it("may be answered with a message that is not sent: its promise may be ignored, also if the listener returns it", async () => {
    const { transport, rtvi } = readyBot();
    rtvi.on("clientMessage", ({ respond }) => respond("x"));
    rtvi.on("clientMessage", () => rtvi.botOutput("Hello."));
    rtvi.on("clientMessage", () => rtvi.botSpeech("Hello.").complete());
    rtvi.on("clientMessage", () => void rtvi.callFunction("f"));
    transport.emit("botStartedSpeaking");
    transport.refusal = new Error("not reading");
    transport.client("client-message", { t: "x" });
    await new Promise((resolve) => setImmediate(resolve));
    expect(transport.failures).toEqual([]);
    await transport.end();
  });

  it("leave no rejection unhandled if another listener throws", async () => {
    const { transport, rtvi } = readyBot();
    const bug = new Error("bug in the bot");
    rtvi.on("clientMessage", () => Promise.reject(new Error("an async bug")));
    rtvi.on("clientMessage", () => {
      throw bug;
    });
    transport.client("client-message", { t: "x" });
    await new Promise((resolve) => setImmediate(resolve));
    expect(transport.failures).toEqual([bug]);
  });
});

describe("disconnect-bot", () => {
  it("closes the transport gracefully", async () => {
    const { transport } = readyBot();
    transport.client("disconnect-bot", {});
    await transport.closed;
    expect(transport.closeCalls).toBe(1);
  });

  it("also closes it without data", async () => {
    const { transport } = readyBot();
    transport.client("disconnect-bot");
    await transport.closed;
    expect(transport.closeCalls).toBe(1);
  });

  it("does not close the transport if the bot has a listener", async () => {
    const { transport, rtvi } = readyBot();
    const requests: ClientRequest[] = [];
    rtvi.on("disconnectBot", (request) => requests.push(request));
    transport.client("disconnect-bot", {}, "bye");
    await Promise.resolve();
    expect(requests).toMatchObject([{ id: "bye" }]);
    expect(transport.closeCalls).toBe(0);
  });

  it("from before createRTVI waits for the bot to register its listener", async () => {
    const transport = createFakeTransport();
    answerHandshake(transport);
    transport.client("disconnect-bot", {});
    const rtvi = createRTVI(transport);
    const listener = vi.fn();
    rtvi.on("disconnectBot", listener);
    await Promise.resolve();
    expect(listener).toHaveBeenCalledOnce();
    expect(transport.closeCalls).toBe(0);
  });
});

describe("bot speech", () => {
  it("is announced automatically", () => {
    const { transport } = readyBot();
    transport.emit("botStartedSpeaking");
    transport.emit("botStoppedSpeaking");
    expect(transport.sent).toEqual([
      { label: "rtvi-ai", type: "bot-started-speaking" },
      { label: "rtvi-ai", type: "bot-stopped-speaking" },
    ]);
  });

  it("still reaches the bot's own listener", () => {
    const { transport } = readyBot();
    transport.emit("botStartedSpeaking");
    const listener = vi.fn();
    transport.on("botStartedSpeaking", listener);
    expect(listener).toHaveBeenCalledOnce();
  });

  it("from before createRTVI is announced", () => {
    const transport = createFakeTransport();
    answerHandshake(transport);
    transport.client("client-ready", { version: "2.1.0" });
    transport.emit("botStartedSpeaking");
    createRTVI(transport);
    expect(transport.sent.map(({ type }) => type)).toEqual(["bot-ready", "bot-started-speaking"]);
  });
});

describe("one transport", () => {
  it("has one RTVI object, even if createRTVI is called again", () => {
    const { transport, rtvi } = readyBot();
    expect(createRTVI(transport)).toBe(rtvi);
    transport.emit("botStartedSpeaking");
    expect(transport.sent).toHaveLength(1);
  });

  it("has one handshake across two copies of the package", async () => {
    vi.resetModules();
    const other = await import("./rtvi.ts");
    expect(other.createRTVI).not.toBe(createRTVI);
    const transport = createFakeTransport();
    answerHandshake(transport);
    transport.client("client-ready", { version: "1.3.0" });
    const rtvi = other.createRTVI(transport);
    expect(await rtvi.ready).toMatchObject({ version: "1.3.0" });
    transport.client("client-ready", { version: "2.1.0" });
    expect(transport.sent.map(({ type }) => type)).toEqual(["bot-ready", "bot-ready"]);
  });

  it("is independent of another", () => {
    const [one, two] = [readyBot(), readyBot()];
    one.rtvi.botSpeech("mine");
    two.transport.emit("botStartedSpeaking");
    expect(one.transport.sent).toEqual([]);
    expect(two.transport.sent).toHaveLength(1);
  });
});

it("removes its listeners after the call, and sends nothing", async () => {
  const { transport, rtvi } = readyBot();
  const messages: ClientMessage[] = [];
  rtvi.on("clientMessage", (message) => messages.push(message));
  expect(transport.listening).toBe(6);
  await transport.end();
  expect(transport.listening).toBe(0);
  await rtvi.sendServerMessage("too late");
  expect(transport.sent).toEqual([]);
});

it("logs many listeners of one event once, with the code that registered the 21st", () => {
  const warn = vi.fn();
  const rtvi = createRTVI(createFakeTransport(), { logger: { warn } });
  for (let count = 0; count < 20; count++) rtvi.on("clientMessage", () => undefined)();
  for (let count = 0; count < 20; count++) rtvi.on("clientMessage", () => undefined);
  expect(warn).not.toHaveBeenCalled();
  for (let count = 0; count < 5; count++) rtvi.on("clientMessage", () => undefined);
  const err = expect.objectContaining({ stack: expect.stringContaining("rtvi.test.ts") });
  expect(warn).toHaveBeenCalledExactlyOnceWith(
    { event: "clientMessage", err },
    expect.stringContaining("on() returns"),
  );
});
