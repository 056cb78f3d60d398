import { EventEmitter } from "node:events";
import { type PipecatClient, RTVIEvent } from "@pipecat-ai/client-js";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Notice } from "../notices.ts";
import { Call } from "./call.ts";
import { type CallState, idle } from "./call-state.ts";
import type { Console } from "./consoles.ts";

/** A client whose state and calls the test controls. */
class FakeClient extends EventEmitter {
  state = "disconnected";
  initDevices = vi.fn(async () => undefined);
  connect = vi.fn<(params: unknown) => Promise<unknown>>(() => new Promise(() => undefined));
  sendClientMessage = vi.fn();
  transport = {};

  become(state: string): void {
    this.state = state;
    this.emit(RTVIEvent.TransportStateChanged, state);
  }

  ready(): void {
    this.become("ready");
    this.emit(RTVIEvent.BotReady, { version: "2.0.0", about: { name: "Echo" } });
  }

  disconnect = vi.fn(async () => this.become("disconnected"));
}

const timedOut = (seconds: number): Notice => ({ tone: "error", title: "Late", text: `not within ${seconds} s` });

let client: FakeClient;
let state: CallState;
let packets: number;
/** The types of messages that the bot handles, as the runner says. */
let handles: string[] | undefined;
const media = { disconnect: vi.fn(async () => undefined) };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance", "Date"] });
  vi.stubGlobal("location", { href: "https://example.com/client/" });
  vi.stubGlobal("sessionStorage", { getItem: () => null });
  handles = [];
  vi.stubGlobal("fetch", async (url: string) =>
    Response.json(url.endsWith("/sessions/abc") ? { handles } : { sessionId: "abc" }, {
      headers: { "X-Session-Id": "abc" },
    }),
  );
  vi.stubGlobal(
    "AudioContext",
    class extends EventEmitter {
      state = "closed";
      close = async () => undefined;
    },
  );
  vi.clearAllMocks();
  client = new FakeClient();
  state = idle;
  packets = 0;
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const connection = {
  getStats: async () => new Map([["in", { type: "inbound-rtp", kind: "audio", packetsReceived: packets }]]),
};

function open(): Call {
  const console: Console = {
    name: "fake",
    playsBot: false,
    connectParams: (reply) => reply,
    timedOut,
    connection: () => connection as never as RTCPeerConnection,
    open: () => ({ client: client as never as PipecatClient, media }),
  };
  return new Call(console, {
    change: (patch) => {
      state = { ...state, ...patch };
    },
    transcribe: () => undefined,
    log: () => undefined,
    measure: () => undefined,
  });
}

/** A call that waits in the client's `connect`. */
async function connecting(): Promise<Call> {
  const call = open();
  void call.run();
  await vi.waitFor(() => expect(client.connect).toHaveBeenCalledWith({ sessionId: "abc" }));
  return call;
}

async function inCall(): Promise<Call> {
  const call = await connecting();
  client.ready();
  return call;
}

test("a call goes from starting over connecting and waiting to active, and ends with its duration", async () => {
  const call = open();
  expect(state.phase).toBe("starting");
  void call.run();
  await vi.waitFor(() => expect(state.phase).toBe("connecting"));
  client.become("ready");
  expect(state.phase).toBe("waiting");
  client.ready();
  expect(state).toMatchObject({ phase: "active", botName: "Echo", keypad: true });
  await vi.advanceTimersByTimeAsync(65_000);
  call.hangUp();
  expect(state).toMatchObject({ phase: "ended", durationMs: 65_000, notice: { text: "You ended the call." } });
  expect(client.disconnect).toHaveBeenCalledOnce();
  await vi.waitFor(() => expect(media.disconnect).toHaveBeenCalled());
});

test("when the permission took longer than the runner waits for a caller, the call begins with another session", async () => {
  let allow = () => undefined as unknown;
  client.initDevices.mockReturnValue(
    new Promise((resolve) => {
      allow = () => resolve(undefined);
    }),
  );
  const started: string[] = [];
  vi.stubGlobal("fetch", async () => Response.json({ sessionId: `session ${started.push("")}` }));
  void open().run();
  await vi.waitFor(() => expect(client.initDevices).toHaveBeenCalled());
  await vi.advanceTimersByTimeAsync(130_000);
  allow();
  await vi.waitFor(() => expect(client.connect).toHaveBeenCalledWith({ sessionId: "session 2" }));
});

test("the page asks for the microphone in words only while the browser asks, and without a time limit", async () => {
  let answer = () => undefined as unknown;
  client.initDevices.mockReturnValue(
    new Promise((resolve) => {
      answer = () => resolve(undefined);
    }),
  );
  void open().run();
  await vi.waitFor(() => expect(client.initDevices).toHaveBeenCalled());
  expect(state.phase).toBe("starting");
  await vi.advanceTimersByTimeAsync(60_000);
  expect(state.phase).toBe("microphone");
  answer();
  await vi.waitFor(() => expect(state.phase).toBe("connecting"));
});

test.each([
  ["the runner's reason", { detail: "Too many callers." }, "Too many callers."],
  ["the status, if the reason is missing", "<h1>", "WebRTC offer rejected with status 429."],
])("a rejected offer shows %s, and the microphone is closed", async (_, body, text) => {
  const cause = new Response(typeof body === "string" ? body : JSON.stringify(body), { status: 429 });
  client.connect.mockRejectedValue(new Error("WebRTC offer rejected with status 429", { cause }));
  await open().run();
  expect(state.phase).toBe("ended");
  expect(state.notice?.text).toContain(text);
  await vi.waitFor(() => expect(media.disconnect).toHaveBeenCalled());
});

test("a connection timeout is reported as such, not as the error that the cancellation causes", async () => {
  client.connect.mockReturnValue(
    new Promise((_resolve, reject) => {
      client.disconnect.mockImplementation(async () => reject(new Error("Unable to connect to transport")));
    }),
  );
  await connecting();
  client.become("connecting");
  await vi.advanceTimersByTimeAsync(15_000);
  expect(state.notice).toEqual(timedOut(15));
});

test("a bot that is not ready after 10 s is reported, and may still become ready", async () => {
  await connecting();
  client.become("ready");
  await vi.advanceTimersByTimeAsync(10_000);
  expect(state).toMatchObject({ phase: "waiting", notice: { tone: "error" } });
  client.ready();
  expect(state).toMatchObject({ phase: "active", notice: undefined });
});

test("a blocked microphone is still reported when the bot is ready", async () => {
  await connecting();
  client.emit(RTVIEvent.DeviceError, { devices: ["mic"], type: "permissions", message: "" });
  client.ready();
  expect(state.notice?.text).toMatch(/^The microphone is blocked/);
});

test("the report of a blocked microphone goes when another one works", async () => {
  await inCall();
  client.emit(RTVIEvent.DeviceError, { devices: ["mic"], type: "not-found", message: "" });
  client.emit(RTVIEvent.TrackStarted, { kind: "audio" }, { local: false });
  expect(state.notice?.text).toMatch(/^No microphone was found/);
  client.emit(RTVIEvent.TrackStarted, { kind: "audio" }, { local: true });
  expect(state.notice).toBeUndefined();
});

test("text and Interrupt are offered if the bot handles them, also when it says so later, or if the runner does not say", async () => {
  await inCall();
  await vi.advanceTimersByTimeAsync(10);
  expect(state).toMatchObject({ acceptsText: false, acceptsInterrupt: false });
  handles = ["send-text"];
  await vi.advanceTimersByTimeAsync(5_000);
  expect(state).toMatchObject({ acceptsText: true, acceptsInterrupt: false });
  handles = undefined;
  client = new FakeClient();
  await inCall();
  await vi.waitFor(() => expect(state).toMatchObject({ acceptsText: true, acceptsInterrupt: true }));
});

test("a call that cannot reconnect is reported as lost, and ends after the transport has closed it", async () => {
  await inCall();
  client.become("error");
  expect(state.phase).toBe("active");
  await vi.waitFor(() => expect(state.notice?.text).toContain("was lost"));
  expect(client.state).toBe("disconnected");
});

test("2 s without a packet are shown as reconnecting, until packets arrive again", async () => {
  await inCall();
  packets = 10;
  await vi.advanceTimersByTimeAsync(400);
  expect(state.phase).toBe("active");
  await vi.advanceTimersByTimeAsync(2_000);
  expect(state.phase).toBe("reconnecting");
  packets = 20;
  await vi.advanceTimersByTimeAsync(400);
  expect(state.phase).toBe("active");
});

test("a client that becomes ready after Cancel is disconnected again", async () => {
  const call = await connecting();
  client.become("connecting");
  call.hangUp();
  expect(state.notice?.text).toBe("You canceled the call.");
  client.become("ready");
  await vi.waitFor(() => expect(client.state).toBe("disconnected"));
  expect(client.disconnect).toHaveBeenCalledTimes(2);
});

test("a bot that leaves ends the call, with the error that it reported just before", async () => {
  await inCall();
  client.emit(RTVIEvent.BotDisconnected);
  expect(state.notice).toMatchObject({
    tone: "info",
    text: expect.stringMatching(/^The bot or the runner ended the call\./),
  });
  client = new FakeClient();
  await inCall();
  client.emit(RTVIEvent.Error, { type: "error", data: { error: "No model", fatal: false } });
  expect(state).toMatchObject({ phase: "active", notice: { text: "The bot reported: No model." } });
  client.emit(RTVIEvent.BotDisconnected);
  expect(state).toMatchObject({
    phase: "ended",
    notice: { title: "The bot failed", text: "The bot reported: No model." },
  });
});

test.each([
  [1000, /^The bot ended the call\.$/],
  [1011, /^The bot failed and the call ended\./],
])(
  "an error of the bot that is decoded after the end with code %i explains it, unless the user ended the call",
  async (code, text) => {
    const closed = { type: "error", data: { message: `websocket connection closed. Code: ${code}` } };
    const failed = { type: "error", data: { error: "No model", fatal: true } };
    await inCall();
    client.emit(RTVIEvent.Error, closed);
    expect(state.notice?.text).toMatch(text);
    client.emit(RTVIEvent.Error, failed);
    expect(state).toMatchObject({ phase: "ended", notice: { text: "The bot reported: No model." } });
    client = new FakeClient();
    (await inCall()).hangUp();
    client.emit(RTVIEvent.Error, failed);
    expect(state.notice?.text).toBe("You ended the call.");
  },
);

test("a fatal error of the bot ends the call", async () => {
  await inCall();
  client.emit(RTVIEvent.Error, { type: "error", data: { error: "No model", fatal: true } });
  expect(state).toMatchObject({ phase: "ended", notice: { title: "The bot failed" } });
});

test.each(["speaking", "Interrupt"])(
  "a bot that stops soon after %s was interrupted, which is shown for a moment at least",
  async (cause) => {
    const call = await inCall();
    const interrupt = () => (cause === "Interrupt" ? call.interrupt() : client.emit(RTVIEvent.UserStartedSpeaking));
    client.emit(RTVIEvent.BotStartedSpeaking);
    interrupt();
    client.emit(RTVIEvent.BotStoppedSpeaking);
    client.emit(RTVIEvent.BotStartedSpeaking);
    expect(state.activity).toBe("interrupted");
    await vi.advanceTimersByTimeAsync(1_500);
    expect(state.activity).toBe("bot-speaking");

    interrupt();
    client.emit(RTVIEvent.BotStoppedSpeaking);
    client.emit(RTVIEvent.UserStoppedSpeaking);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(state.activity, "until something else begins").toBe("interrupted");
    client.emit(RTVIEvent.BotStartedSpeaking);
    client.emit(RTVIEvent.BotStoppedSpeaking);
    expect(state.activity).toBe("listening");
  },
);
