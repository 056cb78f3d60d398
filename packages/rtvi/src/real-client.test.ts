import {
  LogLevel,
  PipecatClient,
  type PipecatClientOptions,
  RTVIMessage,
  Transport,
  type TransportState,
} from "@pipecat-ai/client-js";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { answerHandshake } from "./handshake.ts";
import { createRTVI, type RTVI } from "./rtvi.ts";
import { createFakeTransport, type FakeTransport } from "./test/fake-transport.ts";

/** The client's end of a call in memory: every message takes a trip through JSON, as on a wire. */
class MemoryTransport extends Transport {
  readonly #bot: FakeTransport;
  constructor(bot: FakeTransport) {
    super();
    this.#bot = bot;
  }
  initialize(options: PipecatClientOptions, onMessage: (message: RTVIMessage) => void): void {
    this._options = options;
    this._callbacks = options.callbacks ?? {};
    this.#bot.wire = (message) => onMessage(message as RTVIMessage);
  }
  sendReadyMessage(): void {
    this.state = "ready";
    this.sendMessage(RTVIMessage.clientReady());
  }
  sendMessage(message: RTVIMessage): void {
    this.#bot.emit("appMessage", JSON.parse(JSON.stringify(message)));
  }
  get state(): TransportState {
    return this._state;
  }
  set state(state: TransportState) {
    this._state = state;
    this._callbacks.onTransportStateChanged?.(state);
  }
  async initDevices(): Promise<void> {
    this.state = "initialized";
  }
  _validateConnectionParams(): undefined {
    return undefined;
  }
  async _connect(): Promise<void> {
    this.state = "connected";
  }
  async _disconnect(): Promise<void> {
    this.state = "disconnected";
  }
  getAllMics = async (): Promise<never[]> => [];
  getAllCams = async (): Promise<never[]> => [];
  getAllSpeakers = async (): Promise<never[]> => [];
  updateMic = (): void => undefined;
  updateCam = (): void => undefined;
  updateSpeaker = (): void => undefined;
  enableMic = (): void => undefined;
  enableCam = (): void => undefined;
  enableScreenShare = (): void => undefined;
  selectedMic = {};
  selectedCam = {};
  selectedSpeaker = {};
  isCamEnabled = false;
  isMicEnabled = false;
  isSharingScreen = false;
  tracks = () => ({ local: {} });
}

const callbackNames = [
  "onBotReady",
  "onServerMessage",
  "onUserTranscript",
  "onUserStartedSpeaking",
  "onUserStoppedSpeaking",
  "onBotStartedSpeaking",
  "onBotStoppedSpeaking",
  "onBotOutput",
  "onError",
  "onMessageError",
] as const;

let bot: FakeTransport;
let rtvi: RTVI;
let client: PipecatClient;
/** Every callback of the client's, with what it was given. */
let heard: [name: string, ...values: unknown[]][];

beforeEach(async () => {
  vi.stubGlobal("window", {}); // client-js asks the window who the user agent is
  heard = [];
  bot = createFakeTransport();
  answerHandshake(bot);
  rtvi = createRTVI(bot);
  client = new PipecatClient({
    transport: new MemoryTransport(bot),
    callbacks: Object.fromEntries(
      callbackNames.map((name) => [name, (...values: unknown[]) => void heard.push([name, ...values])]),
    ),
  });
  client.setLogLevel(LogLevel.NONE);
});
afterEach(async () => {
  await client.disconnect();
  vi.unstubAllGlobals();
});

describe("client-js 1.13.1", () => {
  it("connects, and bot and client know each other", async () => {
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
    expect(heard.map(([name]) => name)).toEqual(["onBotReady"]);
  });

  it("connects to a bot that knows nothing of RTVI", async () => {
    const plain = createFakeTransport();
    answerHandshake(plain);
    const other = new PipecatClient({ transport: new MemoryTransport(plain) });
    expect(await other.connect()).toMatchObject({ version: "2.1.0" });
    await other.disconnect();
  });

  it("talks: text to the bot, the bot's answer spoken", async () => {
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
    expect(heard.slice(1)).toEqual([
      ["onBotStartedSpeaking"],
      [
        "onBotOutput",
        {
          ...segment,
          spoken_status: "new",
          spoken_progress: { accumulated_text: "", remaining_text: "You said hello" },
        },
      ],
      [
        "onBotOutput",
        {
          ...segment,
          spoken_status: "in-progress",
          spoken_progress: { accumulated_text: "You said", remaining_text: " hello" },
        },
      ],
      [
        "onBotOutput",
        {
          ...segment,
          spoken_status: "completed",
          spoken_progress: { accumulated_text: "You said hello", remaining_text: "" },
        },
      ],
      ["onBotStoppedSpeaking"],
      ["onBotOutput", { text: "That was all.", aggregated_by: "sentence", segment_id: 2, will_be_spoken: false }],
    ]);
  });

  it("is told of the caller's speech and the application's messages", async () => {
    await client.connect();
    void rtvi.userStartedSpeaking();
    void rtvi.userTranscription({ text: "hello", final: true, userId: "ann", timestamp: "2026-01-02T03:04:05.000Z" });
    void rtvi.userStoppedSpeaking();
    void rtvi.sendServerMessage({ score: [1, 2] });
    expect(heard.slice(1)).toEqual([
      ["onUserStartedSpeaking"],
      ["onUserTranscript", { text: "hello", final: true, user_id: "ann", timestamp: "2026-01-02T03:04:05.000Z" }],
      ["onUserStoppedSpeaking"],
      ["onServerMessage", { score: [1, 2] }],
    ]);
  });

  it("asks and is answered", async () => {
    await client.connect();
    rtvi.on("clientMessage", (message) => {
      if (message.type === "add") void message.respond(Number(message.data) + 1);
      else void message.error("what?");
    });
    expect(await client.sendClientRequest("add", 41)).toBe(42);
    await expect(client.sendClientRequest("multiply", 2)).rejects.toMatchObject({ data: { error: "what?" } });
    expect(heard.slice(1)).toMatchObject([["onMessageError", { type: "error-response" }]]);
  });

  it("is told what it may not ask", async () => {
    await client.connect();
    await client.appendToContext({ role: "user", content: "remember" });
    await client.sendText(7 as never);
    expect(heard.slice(1)).toMatchObject([
      ["onMessageError", { data: { error: "Unsupported type append-to-context" } }],
      ["onMessageError", { data: { error: "Invalid message: data.content must be string" } }],
    ]);
  });

  it("goes on after an error, and disconnects after a fatal one", async () => {
    await client.connect();
    void rtvi.error("hiccup");
    expect(client.state).toBe("ready");
    void rtvi.error("broken", { fatal: true });
    await Promise.resolve();
    expect(client.state).toBe("disconnected");
    expect(heard.slice(1)).toMatchObject([
      ["onError", { data: { error: "hiccup", fatal: false } }],
      ["onError", { data: { error: "broken", fatal: true } }],
    ]);
  });

  it("sends the bot home", async () => {
    await client.connect();
    client.disconnectBot();
    await bot.closed;
    expect(bot.closeCalls).toBe(1);
  });
});
