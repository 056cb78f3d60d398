import type { PipecatClient } from "@pipecat-ai/client-js";
import * as client5 from "client-js-1.5";
import * as client11 from "client-js-1.11";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createRTVI, type RTVI } from "./rtvi.ts";
import { createFakeTransport, type FakeTransport } from "./test/fake-transport.ts";
import { type ClientLibrary, createMemoryClient, type Heard } from "./test/memory-client.ts";

describe.each([
  { name: "client-js 1.5.0", library: client5 as unknown as ClientLibrary, version: "1.0.0" },
  { name: "client-js 1.11.0", library: client11 as unknown as ClientLibrary, version: "1.4.0" },
])("$name, of protocol $version", ({ library, version }) => {
  let bot: FakeTransport;
  let rtvi: RTVI;
  let client: PipecatClient;
  let heard: Heard;

  beforeEach(async () => {
    vi.stubGlobal("window", {});
    bot = createFakeTransport();
    rtvi = createRTVI(bot);
    ({ client, heard } = createMemoryClient(library, bot));
    await client.connect();
  });
  afterEach(async () => {
    await client.disconnect();
    vi.unstubAllGlobals();
  });

  it("is told its own version, and no word of objection", async () => {
    expect(await rtvi.ready).toMatchObject({ version, legacy: true });
    expect(heard).toMatchObject([["onBotReady", { version }]]);
  });

  it("is told of speech in its own form", () => {
    bot.emit("botStartedSpeaking");
    const segment = rtvi.botSpeech("Hello there.");
    void segment.progress(5);
    void segment.complete();
    expect(heard.slice(2)).toEqual([
      ["onBotOutput", { text: "Hello there.", aggregated_by: "sentence", spoken: false }],
      ["onBotOutput", { text: "Hello", aggregated_by: "word", spoken: true }],
      ["onBotOutput", { text: "there.", aggregated_by: "word", spoken: true }],
    ]);
  });

  it("runs its function once, and the bot has the result", async () => {
    const where = vi.fn(async () => ({ city: "Oslo" }));
    client.registerFunctionCallHandler("where", where);
    expect(await rtvi.callFunction("where", { precise: true })).toEqual({ city: "Oslo" });
    expect(where.mock.calls).toEqual([[{ functionName: "where", arguments: { precise: true } }]]);
  });

  it("asks, is answered, and sends text", async () => {
    const texts: string[] = [];
    rtvi.on("clientMessage", (message) => void message.respond(Number(message.data) + 1));
    rtvi.on("sendText", ({ content }) => texts.push(content));
    expect(await client.sendClientRequest("add", 41)).toBe(42);
    await client.sendText("hello");
    expect(texts).toEqual(["hello"]);
  });

  it("is told the rest as later clients are", () => {
    void rtvi.metrics({ ttfb: [{ processor: "llm", value: 0.2 }] });
    void rtvi.userTranscription({ text: "hi", final: true, timestamp: "2026-01-02T03:04:05.000Z" });
    void rtvi.botLlmText("hel");
    expect(heard.slice(1)).toEqual([
      ["onMetrics", { ttfb: [{ processor: "llm", value: 0.2 }] }],
      ["onUserTranscript", { text: "hi", final: true, user_id: "", timestamp: "2026-01-02T03:04:05.000Z" }],
      ["onBotLlmText", { text: "hel" }],
    ]);
  });
});
