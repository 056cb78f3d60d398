import type { PipecatClient } from "@pipecat-ai/client-js";
import * as library from "@pipecat-ai/client-js";
import * as client5 from "client-js-1.5";
import * as client11 from "client-js-1.11";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { RTVIEvents } from "./client-events.ts";
import { answerHandshake } from "./handshake.ts";
import { createRTVI, type RTVI } from "./rtvi.ts";
import { createFakeTransport, type FakeTransport } from "./test/fake-transport.ts";
import { type Callbacks, type ClientLibrary, createMemoryClient } from "./test/memory-client.ts";

describe("client-js 1.13.1", () => {
  let bot: FakeTransport;
  let rtvi: RTVI;
  let client: PipecatClient;
  let callbacks: Callbacks;

  beforeEach(() => {
    vi.stubGlobal("window", {}); // client-js reads the user agent from the window
    bot = createFakeTransport();
    answerHandshake(bot);
    rtvi = createRTVI(bot);
    ({ client, callbacks } = createMemoryClient(library, bot));
  });
  afterEach(async () => {
    await client.disconnect();
    vi.unstubAllGlobals();
  });

  /** Collects the bot's events with these names. */
  function collect(...names: (keyof RTVIEvents)[]): unknown[] {
    const events: unknown[] = [];
    for (const name of names) rtvi.on(name, (value) => events.push(value));
    return events;
  }

  describe("in a call", () => {
    it("connects, and bot and client exchange their versions", async () => {
      const ready = await client.connect();
      expect(ready).toEqual({
        version: "2.1.0",
        about: { library: "pipecat-runner", library_version: expect.any(String) },
      });
      expect(await rtvi.ready).toMatchObject({
        version: "2.1.0",
        about: { library: "@pipecat-ai/client-js", library_version: "1.13.1" },
        legacy: false,
      });
      expect(callbacks.map(([name]) => name)).toEqual(["onBotReady"]);
    });

    it("connects to a bot that does not use RTVI", async () => {
      const plain = createFakeTransport();
      answerHandshake(plain);
      const other = createMemoryClient(library, plain).client;
      expect(await other.connect()).toMatchObject({ version: "2.1.0" });
      await other.disconnect();
    });

    it("sends text to the bot and receives a spoken answer", async () => {
      await client.connect();
      rtvi.on("sendText", ({ content, runImmediately, audioResponse }) => {
        const segment = rtvi.botSpeech(`You said ${content}`);
        expect([runImmediately, audioResponse]).toEqual([true, false]);
        bot.emit("botStartedSpeaking");
        void segment.progress(8);
        void segment.complete();
        bot.emit("botStoppedSpeaking");
        void rtvi.botOutput("That was all.");
      });
      await client.sendText("hello", { audio_response: false });
      const segment = { text: "You said hello", aggregated_by: "sentence", segment_id: 1, will_be_spoken: true };
      const step = (spoken_status: string, accumulated_text: string, remaining_text: string) => [
        "onBotOutput",
        { ...segment, spoken_status, spoken_progress: { accumulated_text, remaining_text } },
      ];
      expect(callbacks.slice(1)).toEqual([
        ["onBotStartedSpeaking"],
        step("new", "", "You said hello"),
        step("in-progress", "You said", " hello"),
        step("completed", "You said hello", ""),
        ["onBotStoppedSpeaking"],
        ["onBotOutput", { text: "That was all.", aggregated_by: "sentence", segment_id: 2, will_be_spoken: false }],
      ]);
    });

    it("stays connected after an error, and disconnects after a fatal one", async () => {
      await client.connect();
      void rtvi.error("hiccup");
      expect(client.state).toBe("ready");
      void rtvi.error("broken", { fatal: true });
      await Promise.resolve();
      expect(client.state).toBe("disconnected");
      expect(callbacks.slice(1)).toMatchObject([
        ["onError", { data: { error: "hiccup", fatal: false } }],
        ["onError", { data: { error: "broken", fatal: true } }],
      ]);
    });

    it("can end the call with disconnectBot", async () => {
      await client.connect();
      client.disconnectBot();
      await bot.closed;
      expect(bot.closeCalls).toBe(1);
    });
  });

  describe("calls", () => {
    const search = {
      search_result: "42",
      rendered_content: "<p>42</p>",
      origins: [{ site_uri: "https://example.org", site_title: "E", results: [{ text: "42", confidence: [0.9] }] }],
    };
    const metrics = {
      ttfb: [{ processor: "llm", model: "m", value: 0.2 }],
      tokens: [{ prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 }],
    };

    it.each<[string, (rtvi: RTVI) => unknown, unknown?]>([
      ["onServerMessage", (to) => to.sendServerMessage({ score: [1, 2] }), { score: [1, 2] }],
      ["onUserStartedSpeaking", (to) => to.userStartedSpeaking()],
      ["onUserStoppedSpeaking", (to) => to.userStoppedSpeaking()],
      ["onUserMuteStarted", (to) => to.userMuteStarted()],
      ["onUserMuteStopped", (to) => to.userMuteStopped()],
      [
        "onUserTranscript",
        (to) => to.userTranscription({ text: "hi", final: true, userId: "ann", timestamp: "2026-01-02T03:04:05.000Z" }),
        { text: "hi", final: true, user_id: "ann", timestamp: "2026-01-02T03:04:05.000Z" },
      ],
      ["onUserLlmText", (to) => to.userLlmText("hi"), { text: "hi" }],
      ["onBotLlmStarted", (to) => to.botLlmStarted()],
      ["onBotLlmText", (to) => to.botLlmText("hel"), { text: "hel" }],
      ["onBotLlmStopped", (to) => to.botLlmStopped()],
      ["onBotLlmSearchResponse", (to) => to.botLlmSearchResponse(search), search],
      ["onBotTtsStarted", (to) => to.botTtsStarted()],
      ["onBotTtsText", (to) => to.botTtsText("hello"), { text: "hello" }],
      ["onBotTtsStopped", (to) => to.botTtsStopped()],
      ["onBotTranscript", (to) => to.botTranscription("Hello."), { text: "Hello." }],
      ["onLLMFunctionCallStarted", (to) => to.llmFunctionCallStarted({ name: "f" }), { function_name: "f" }],
      [
        "onLLMFunctionCallInProgress",
        (to) => to.llmFunctionCallInProgress({ callId: "1", name: "f", args: { x: 1 } }),
        { tool_call_id: "1", function_name: "f", arguments: { x: 1 } },
      ],
      [
        "onLLMFunctionCallStopped",
        (to) => to.llmFunctionCallStopped({ callId: "1", name: "f", result: [2] }),
        { tool_call_id: "1", function_name: "f", cancelled: false, result: [2] },
      ],
      ["onMetrics", (to) => to.metrics(metrics), metrics],
      [
        "onUICommand",
        (to) => to.uiCommand("toast", { title: "Saved" }),
        { command: "toast", payload: { title: "Saved" } },
      ],
      ["onUICommand", (to) => to.uiCommand("confetti"), { command: "confetti" }],
      [
        "onUIJobGroup",
        (to) => to.uiJobGroup({ kind: "group_completed", job_id: "j", at: 7 }),
        { kind: "group_completed", job_id: "j", at: 7 },
      ],
    ])("%s", async (name, send, ...data) => {
      await client.connect();
      send(rtvi);
      expect(callbacks.slice(1)).toEqual([[name, ...data]]);
    });

    it("no callback for unknown messages", async () => {
      await client.connect();
      bot.emit("botInterrupted");
      void rtvi.userInput({ text: "mhm", type: "backchannel" });
      void rtvi.vadUserStartedSpeaking();
      void rtvi.userAudioLevel(0.5);
      void rtvi.botTtsAudio({ samples: Int16Array.of(1), sampleRate: 8_000, channels: 1 });
      expect(bot.sent).toHaveLength(4);
      expect(callbacks.slice(1)).toEqual([]);
      expect(bot.failures).toEqual([]);
    });
  });

  describe("sends the bot", () => {
    beforeEach(async () => void (await client.connect()));

    it("requests, and receives the answers", async () => {
      rtvi.on("clientMessage", (message) => {
        if (message.type === "add") void message.respond(Number(message.data) + 1);
        else void message.error("what?");
      });
      expect(await client.sendClientRequest("add", 41)).toBe(42);
      await expect(client.sendClientRequest("multiply", 2)).rejects.toMatchObject({ data: { error: "what?" } });
      expect(callbacks.slice(1)).toMatchObject([["onMessageError", { type: "error-response" }]]);
    });

    it("messages without an answer", () => {
      const events = collect("clientMessage");
      client.sendClientMessage("hint", { volume: 3 });
      expect(events).toMatchObject([{ type: "hint", data: { volume: 3 } }]);
    });

    it("keys, one event each", () => {
      const keys = collect("dtmf");
      client.sendDTMF("12*#");
      client.sendDTMF("0");
      expect(keys).toEqual(["1", "2", "*", "#", "0"]);
    });

    it("the results of its functions", async () => {
      client.registerFunctionCallHandler("where", async ({ arguments: args }) => ({ city: "Oslo", ...args }));
      expect(await rtvi.callFunction("where", { precise: true })).toEqual({ city: "Oslo", precise: true });
      const call = { tool_call_id: expect.any(String), function_name: "where" };
      expect(callbacks.slice(1)).toEqual([
        ["onLLMFunctionCallStarted", { function_name: "where" }],
        ["onLLMFunctionCallInProgress", { ...call, arguments: { precise: true } }],
        ["onLLMFunctionCallStopped", { ...call, cancelled: false, result: { city: "Oslo", precise: true } }],
      ]);
    });

    it("the result of a call that the bot announced itself", async () => {
      client.registerFunctionCallHandler("where", async () => "Oslo");
      const answers: unknown[] = [];
      const answered = new Promise<void>((resolve) => {
        rtvi.on("llmFunctionCallResult", (answer) => {
          answers.push(answer);
          resolve();
        });
      });
      void rtvi.llmFunctionCallInProgress({ callId: "mine", name: "where", args: { precise: true } });
      await answered;
      expect(answers).toMatchObject([{ callId: "mine", name: "where", args: { precise: true }, result: "Oslo" }]);
    });

    it("user interface events", () => {
      const events = collect("uiEvent", "uiCancelJobGroup");
      client.sendUIEvent("opened", { page: 2 });
      client.sendUIEvent("closed");
      client.cancelUIJobGroup("j1", "too slow");
      client.cancelUIJobGroup("j2");
      expect(events).toMatchObject([
        { event: "opened", payload: { page: 2 } },
        { event: "closed", payload: undefined },
        { jobId: "j1", reason: "too slow" },
        { jobId: "j2", reason: undefined },
      ]);
    });

    it("snapshots of the page", async () => {
      const body = { childNodes: [{ nodeType: 3, textContent: "Price list" }] };
      const listening = { addEventListener: vi.fn(), removeEventListener: vi.fn() };
      vi.stubGlobal("window", listening);
      vi.stubGlobal("document", { body, activeElement: null, getSelection: () => null, ...listening });
      vi.stubGlobal("HTMLInputElement", class {});
      vi.stubGlobal("HTMLTextAreaElement", class {});
      vi.stubGlobal(
        "MutationObserver",
        class {
          observe = vi.fn();
          disconnect = vi.fn();
        },
      );
      const seen = new Promise<unknown>((resolve) => {
        rtvi.on("uiSnapshot", ({ tree }) => resolve(tree));
      });
      client.startUISnapshotStream({ debounceMs: 0 });
      expect(await seen).toEqual({
        root: {
          ref: expect.stringMatching(/^e\d+$/),
          role: "generic",
          children: [{ ref: "", role: "text", name: "Price list" }],
        },
        captured_at: expect.any(Number),
      });
      client.stopUISnapshotStream();
    });

    it("files, as messages of the application's own: client-js 1.13 has no method for them", async () => {
      const files = collect("sendFile");
      const source = { type: "url", url: "pipecat:1" };
      const send = (data: unknown) => client.transport.sendMessage(new library.RTVIMessage("send-file", data));
      send({ content: "Read it.", file: { name: "a.txt", format: "text/plain", source } });
      send({ content: "Read it." });
      expect(files).toMatchObject([{ content: "Read it.", name: "a.txt", format: "text/plain", source }]);
      expect(callbacks.slice(1)).toMatchObject([
        ["onMessageError", { data: { error: expect.stringContaining("data must have required properties file") } }],
      ]);
    });

    it("unsupported and invalid messages, and receives errors", async () => {
      rtvi.on("sendText", () => undefined);
      await client.appendToContext({ role: "user", content: "remember" });
      await client.sendText(7 as never);
      expect(callbacks.slice(1)).toMatchObject([
        ["onMessageError", { data: { error: "Unsupported type append-to-context" } }],
        ["onMessageError", { data: { error: "Invalid message: data.content must be string" } }],
      ]);
    });
  });
});

describe.each([
  { name: "client-js 1.5.0", library: client5 as unknown as ClientLibrary, version: "1.0.0" },
  { name: "client-js 1.11.0", library: client11 as unknown as ClientLibrary, version: "1.4.0" },
])("$name, protocol $version", ({ library, version }) => {
  let bot: FakeTransport;
  let rtvi: RTVI;
  let client: PipecatClient;
  let callbacks: Callbacks;

  beforeEach(async () => {
    vi.stubGlobal("window", {});
    bot = createFakeTransport();
    rtvi = createRTVI(bot);
    ({ client, callbacks } = createMemoryClient(library, bot));
    await client.connect();
  });
  afterEach(async () => {
    await client.disconnect();
    vi.unstubAllGlobals();
  });

  it("receives its own version and no warning", async () => {
    expect(await rtvi.ready).toMatchObject({ version, legacy: true });
    expect(callbacks).toMatchObject([["onBotReady", { version }]]);
  });

  it("receives speech in the format of protocol 1", () => {
    bot.emit("botStartedSpeaking");
    const segment = rtvi.botSpeech("Hello there.");
    void segment.progress(5);
    void segment.complete();
    expect(callbacks.slice(2)).toEqual([
      ["onBotOutput", { text: "Hello there.", aggregated_by: "sentence", spoken: false }],
      ["onBotOutput", { text: "Hello", aggregated_by: "word", spoken: true }],
      ["onBotOutput", { text: "there.", aggregated_by: "word", spoken: true }],
    ]);
  });

  it("runs its function once and returns the result to the bot", async () => {
    const where = vi.fn(async () => ({ city: "Oslo" }));
    client.registerFunctionCallHandler("where", where);
    expect(await rtvi.callFunction("where", { precise: true })).toEqual({ city: "Oslo" });
    expect(where.mock.calls).toEqual([[{ functionName: "where", arguments: { precise: true } }]]);
  });

  it("sends requests and text", async () => {
    const texts: string[] = [];
    rtvi.on("clientMessage", (message) => void message.respond(Number(message.data) + 1));
    rtvi.on("sendText", ({ content }) => texts.push(content));
    expect(await client.sendClientRequest("add", 41)).toBe(42);
    await client.sendText("hello");
    expect(texts).toEqual(["hello"]);
  });

  it("receives all other messages like later clients", () => {
    void rtvi.metrics({ ttfb: [{ processor: "llm", value: 0.2 }] });
    void rtvi.userTranscription({ text: "hi", final: true, timestamp: "2026-01-02T03:04:05.000Z" });
    void rtvi.botLlmText("hel");
    expect(callbacks.slice(1)).toEqual([
      ["onMetrics", { ttfb: [{ processor: "llm", value: 0.2 }] }],
      ["onUserTranscript", { text: "hi", final: true, user_id: "", timestamp: "2026-01-02T03:04:05.000Z" }],
      ["onBotLlmText", { text: "hel" }],
    ]);
  });
});
