import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Bot, createTransport, type TransportPlugin } from "@pipecat-ts/runner-core";
import { expect, onTestFinished, test, vi } from "vitest";
import { fakePlugin } from "../../runner-host/src/test/fake-plugin.ts";
import { createRecordedLog } from "../../runner-sessions/src/test/fixture.ts";
import type { CaptureEvent } from "./format.ts";
import { type ReplayOptions, replay } from "./replay.ts";
import { createWireCaller } from "./wire-caller.ts";

const start = { method: "POST", url: "/start", contentType: "application/json", status: 200, durationMs: 3.2 };
const ended = (reason: string) => ({ t: 200, type: "state", state: "ended", reason }) as CaptureEvent;
const message = (text: string, t = 60): CaptureEvent => ({ t, type: "message", socket: 1, from: "caller", text });
const answered: readonly CaptureEvent[] = [
  { t: 0, type: "state", state: "pending" },
  { t: 0, type: "http", ...start, body: '{"transport":"fake","body":{"plan":"gold"}}' },
  { t: 50, type: "open", socket: 1, url: "/fake/5f" },
  { t: 51, type: "state", state: "active" },
  { t: 52, type: "state", state: "connected" },
];
const left: readonly CaptureEvent[] = [
  { t: 150, type: "close", socket: 1, by: "caller", code: 1000, reason: "" },
  ended("caller-left"),
];

const params = { fake: () => ({}), room: () => ({}) } as object;

/** Answers each message, until the caller leaves. */
const bot: Bot = async (args) => {
  const transport = await createTransport(args, params);
  transport.on("appMessage", (received) => void transport.sendMessage({ received }));
  await transport.closed;
};

async function run(events: readonly CaptureEvent[], options: Partial<ReplayOptions> = {}, transport = "fake") {
  const folder = mkdtempSync(join(tmpdir(), "pipecat-replay-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "call.jsonl");
  const header = {
    ...{ format: "pipecat-runner capture", version: 1, session: "5f", transport, plugin: transport },
    ...{ startedAt: "2026-11-29T18:00:00.000Z", media: false },
  };
  writeFileSync(file, [header, ...events].map((line) => `${JSON.stringify(line)}\n`).join(""));
  const plugins: readonly TransportPlugin[] = [fakePlugin()];
  return await replay(file, { bot, plugins, speed: "max", logger: createRecordedLog(), ...options });
}

test("a socket that cannot be opened rejects once", async () => {
  const rejections: unknown[] = [];
  const record = (error: unknown) => void rejections.push(error);
  process.on("unhandledRejection", record);
  onTestFinished(() => void process.off("unhandledRejection", record));
  const caller = createWireCaller(new URL("http://127.0.0.1:1"), async (message) => message());
  await expect(caller.play({ t: 0, type: "open", socket: 1, url: "/fake/5f" })).rejects.toMatchObject({
    code: "ECONNREFUSED",
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(rejections).toEqual([]);
});

test("the bot gets the caller's messages over the wire, and its own are reported", async () => {
  const { events, notes } = await run([...answered, message('{"n":1}'), message('{"n":2}'), ...left]);
  expect(events).toEqual([
    { type: "started", transport: "fake", body: { plan: "gold" } },
    { type: "connected" },
    { type: "message", message: { n: 1 } },
    { type: "sent", message: { received: { n: 1 } } },
    { type: "message", message: { n: 2 } },
    { type: "sent", message: { received: { n: 2 } } },
    { type: "disconnected", reason: "caller-left" },
    { type: "ended", reason: "caller-left" },
  ]);
  expect(notes).toEqual([]);
});

test("no message is lost at full speed", async () => {
  const messages = Array.from({ length: 300 }, (_, index) => message('{"n":0}', 60 + index / 10));
  let received = 0;
  const counting: Bot = async (args) => {
    const transport = await createTransport(args, params);
    transport.on("appMessage", () => received++);
    await transport.closed;
  };
  const { events } = await run([...answered, ...messages, ...left], { bot: counting });
  expect(events.at(-1)).toEqual({ type: "ended", reason: "caller-left" });
  expect(received).toBe(300);
});

test("in real time, events come at the times of the capture", async () => {
  const times: number[] = [];
  const onEvent: ReplayOptions["onEvent"] = (event, atMs) => event.type === "message" && times.push(atMs);
  await run([...answered, message("{}", 80), message("{}", 140), ...left], { speed: "real", onEvent });
  expect(times[0]).toBeGreaterThan(78);
  expect(times[1]).toBeGreaterThan(138);
});

test("messages and keys of a transport without a socket of the host are replayed without the transport", async () => {
  const events: readonly CaptureEvent[] = [
    ...answered.filter(({ type }) => type !== "open"),
    { t: 60, type: "app", from: "caller", message: { n: 1 } },
    { t: 61, type: "app", from: "bot", message: { received: { n: 1 } } },
    { t: 62, type: "key", key: "5" },
    ended("caller-left"),
  ];
  const result = await run(events, { plugins: [] }, "room");
  expect(result.events).toEqual([
    { type: "started", transport: "room", body: { plan: "gold" } },
    { type: "connected" },
    { type: "message", message: { n: 1 } },
    { type: "sent", message: { received: { n: 1 } } },
    { type: "key", key: "5" },
    { type: "disconnected", reason: "caller-left" },
    { type: "ended", reason: "caller-left" },
  ]);
});

test("a phone call without a socket of the host gets the captured call data and body", async () => {
  const callData = { streamId: "c", callId: "c", from: "15550100001", to: "15550100002" };
  const body = { id: "c", timestamp: "1671644824" };
  const events: readonly CaptureEvent[] = [
    { t: 0, type: "state", state: "pending" },
    { t: 0, type: "http", ...start, url: "/whatsapp", body: "{}" },
    { t: 5, type: "state", state: "active", callData, body },
    { t: 6, type: "state", state: "connected" },
    { t: 62, type: "key", key: "5" },
    ended("caller-left"),
  ];
  const result = await run(events, { plugins: [] }, "room");
  expect(result.events[0]).toEqual({ type: "started", transport: "room", body, callData });
});

test.each([
  ['{"body":{"plan":"gold"}}', { body: { plan: "gold" } }],
  ["", {}],
])("the body of a start request with a query is found: %j", async (body, started) => {
  const events: readonly CaptureEvent[] = [
    { t: 0, type: "state", state: "pending" },
    { t: 0, type: "http", ...start, url: "/start?source=app", body },
    { t: 5, type: "state", state: "active" },
    { t: 6, type: "state", state: "connected" },
    { t: 62, type: "key", key: "5" },
    ended("caller-left"),
  ];
  const result = await run(events, { plugins: [] }, "room");
  expect(result.events[0]).toEqual({ type: "started", transport: "room", ...started });
});

test("a bot that ends the call earlier than in the capture is noted, and one that throws is reported", async () => {
  const early = await run([...answered, message("{}"), ...left], { bot: async () => undefined });
  expect(early.events.map(({ type }) => type)).toEqual(["started", "ended"]);
  expect(early.notes).toEqual(["The bot ended the call earlier than in the capture."]);
  const failing: Bot = async () => {
    throw new Error("no key");
  };
  const { events } = await run([...answered, ...left], { bot: failing });
  expect(events.slice(1)).toEqual([
    { type: "failed", message: "no key" },
    { type: "ended", reason: "bot-failed" },
  ]);
});

test("a call that the runner rejects is rejected with its error", async () => {
  const unknown = answered.map((event) => (event.type === "open" ? { ...event, url: "/fake/another" } : event));
  await expect(run([...unknown, ...left])).rejects.toMatchObject({ code: "SESSION_UNKNOWN" });
});

test("an abort ends the replay", async () => {
  const stop = new AbortController();
  const late = { ...message("{}"), t: 3_600_000 };
  const running = run([...answered, late, ...left], {
    speed: "real",
    signal: stop.signal,
    onEvent: ({ type }) => type === "connected" && stop.abort(),
  });
  const { events, notes } = await running;
  expect(events.map(({ type }) => type)).toEqual(["started", "connected", "disconnected", "ended"]);
  expect(notes).toEqual(["The replay was interrupted: the caller hung up."]);
});

test("an abort ends the wait for a bot that does not create its transport", async () => {
  const stop = new AbortController();
  const waiting: Bot = ({ signal }) =>
    new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  const { notes } = await run([...answered, ...left], {
    bot: waiting,
    signal: stop.signal,
    onEvent: ({ type }) => type === "started" && stop.abort(),
  });
  expect(notes).toEqual(["The replay was interrupted: the caller hung up."]);
});

test("a request after the end of the call is not sent", async () => {
  const upload = { ...start, url: "/sessions/5f/files", body: "", status: 200 };
  const { notes } = await run(
    [...answered, { t: 3_600_000, type: "http", ...upload }, message("{}", 3_600_001), ...left],
    {
      speed: "real",
      async bot(args) {
        await createTransport(args, params);
      },
    },
  );
  expect(notes).toEqual(["The bot ended the call earlier than in the capture."]);
});

/** A bot that answers no request. */
const silentBot: Bot = async (args) => {
  args.session.onRequest(() => new Promise(() => undefined));
  await bot(args);
};
const request: CaptureEvent = { ...start, t: 60, type: "http", url: "/sessions/5f/x" };

/** A transport that never decides about its sockets. */
function undecided(): TransportPlugin {
  const { open, ...plugin } = fakePlugin();
  return {
    ...plugin,
    async open(...args) {
      const opened = await open(...args);
      const sockets = opened.sockets?.map((socket) => ({
        ...socket,
        verify: () => new Promise<never>(() => undefined),
      }));
      return { ...opened, ...(sockets && { sockets }) };
    },
  };
}

test.each([
  ["a request that nobody answers", { bot: silentBot }, [request, message("{}", 100)], /: event 7, message\.$/],
  [
    "a last request that nobody answers",
    { bot: silentBot },
    [request],
    /: event \d, close\.$|: the end of the call\.$/,
  ],
  ["a socket that is neither opened nor rejected", { plugins: [undecided()] }, [], /: event 3, open\.$/],
])("%s ends the replay with an error after the time limit", async (_, options, events, text) => {
  const timeout = AbortSignal.timeout;
  const shortened = vi
    .spyOn(AbortSignal, "timeout")
    .mockImplementation((ms) => timeout.call(AbortSignal, Math.ceil(ms / 100)));
  onTestFinished(() => shortened.mockRestore());
  await expect(run([...answered, ...events, ...left], options)).rejects.toMatchObject({
    code: "REPLAY_STUCK",
    message: expect.stringMatching(text),
  });
});

test("an abort ends the wait for a request that nobody answers", async () => {
  const stop = new AbortController();
  const { notes } = await run([...answered, request, message("{}", 100), ...left], {
    signal: stop.signal,
    async bot(args) {
      setTimeout(() => stop.abort(), 300);
      await silentBot(args);
    },
  });
  expect(notes).toEqual(["The replay was interrupted: the caller hung up."]);
});
