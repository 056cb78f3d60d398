import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { type BotCall, callBot, silence, syllables, tone, toneMs } from "@pipecat-ts/runner-testing";
import { type FakeOpenAI, type OpenAIReply, startFakeOpenAI } from "@pipecat-ts/runner-testing/openai";
import OpenAI from "openai";
import { createRTVI, createTransport } from "pipecat-runner";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { bot } from "./bot.ts";
import { converse, type Functions } from "./conversation.ts";

vi.setConfig({ testTimeout: 30_000, expect: { poll: { timeout: 10_000 } } });

// Calls the bot with a simulated caller. A server on this machine takes the place of OpenAI.

const sampleRate = 24_000;
let openai: FakeOpenAI;
let call: BotCall;
/** The responses of the model, in order. */
let replies: OpenAIReply[];

beforeAll(async () => {
  openai = await startFakeOpenAI({
    reply: () => replies.shift() ?? say(200, 200, "I have nothing to say."),
    transcribe: (index) => `sentence ${index}`,
    synthesize: () => tone(900, { durationMs: 400, sampleRate }),
  });
  vi.stubEnv("OPENAI_BASE_URL", openai.env.OPENAI_BASE_URL);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await openai.close();
});
beforeEach(() => {
  openai.unavailable = false;
  openai.unresponsive = false;
  replies = [say(500, 400, "Hello.")];
});
afterEach(() => call.hangUp());

test("greets the caller, hears the caller, and answers", async () => {
  replies.push(say(700, 600, "Nice to meet you."));
  call = await callOpenAI();
  await expect.poll(() => shownTexts()).toEqual(["Hello."]);
  await call.say(speech(600));
  await heard(700);
  expect(call.received("user-started-speaking")).toHaveLength(1);
  expect(call.received("user-transcription")).toMatchObject([{ text: "sentence 0", final: true }]);
  await expect.poll(() => shownTexts().join(" ")).toBe("Hello. Nice to meet you.");
  expect(lastSession().errors).toEqual([]);
  expect(await call.hangUp()).toBe("caller-left");
  await expect.poll(() => lastSession().isOpen).toBe(false);
  expect(warnings().filter((line) => line.includes("OpenAI"))).toEqual([]);
});

test("an interruption stops the bot, drops audio that arrives late, and tells the model what was heard", async () => {
  const sentence = "This is a very long answer that the caller does not want to hear to its end. ".repeat(4);
  replies = [say(500, 20_000, sentence), say(700, 400, "Go ahead.")];
  call = await callOpenAI();
  const lag = monitorEventLoopDelay({ resolution: 1 });
  lag.enable();
  await heard(500);
  await call.say(silence({ durationMs: 800 }));
  await call.say(speech(400));
  await heard(700);

  expect(call.playout.clears).toBe(1);
  expect(heardMs(500, call.playout.clearedAtMs)).toBe(0);
  const truncations = lastSession().received.filter(({ type }) => type === "conversation.item.truncate");
  expect(truncations).toHaveLength(1);
  // Within one frame, and the time that frames were sent late because this machine was busy.
  const toleranceMs = 20 + lag.max / 1e6;
  expect(Math.abs(Number(truncations[0]?.audio_end_ms) - heardMs(500))).toBeLessThanOrEqual(toleranceMs);
  expect(lastSession().conversation).toContainEqual(expect.objectContaining({ role: "assistant", truncated: true }));
  expect(lastSession().errors).toEqual([]);
  const [shown = ""] = shownTexts();
  expect(shown.length).toBeGreaterThan(0);
  expect(shown.length).toBeLessThan(sentence.length / 4);
  expect(sentence.startsWith(shown)).toBe(true);
});

test("calls a function, and continues with its result", async () => {
  replies = [{ functionCall: { name: "currentTime", arguments: {} } }, say(600, 400, "It is late.")];
  call = await callOpenAI();
  await heard(600);
  const { conversation } = lastSession();
  expect(conversation.map(({ type }) => type)).toEqual(["function_call", "function_call_output", "message"]);
  expect(conversation[1]?.text).toMatch(/^"\d+:\d+/);
});

test("gives the model the error of a function that is missing, or whose result is not JSON", async () => {
  replies = ["nowhere", "count"].map((name) => ({ functionCall: { name, arguments: {} } }));
  replies.push(say(600, 400, "I cannot tell."));
  call = await callWith(new OpenAI({ apiKey: openai.env.OPENAI_API_KEY }), { count: () => 5n });
  await heard(600);
  const results = lastSession().conversation.filter(({ type }) => type === "function_call_output");
  expect(results.map(({ text }) => text)).toEqual([
    '{"error":"Error: The function \\"nowhere\\" does not exist."}',
    '{"error":"TypeError: Do not know how to serialize a BigInt"}',
  ]);
});

test("answers typed text, and stops when the application asks for it", async () => {
  replies = [say(500, 20_000, "A long story."), say(700, 20_000, "Another one.")];
  call = await callOpenAI();
  await heard(500);
  call.send("send-text", { content: "Stop that." });
  await heard(700);
  call.send("client-message", { t: "interrupt" });
  await expect.poll(() => call.received("bot-interrupted")).toHaveLength(2);
  expect(lastSession().conversation.map(({ role, text }) => `${role}: ${text.slice(0, 9)}`)).toContain(
    "user: Stop that",
  );
  expect(lastSession().errors).toEqual([]);
});

test("answers a text that follows another one before OpenAI responds", async () => {
  replies.push(say(1_100, 20_000, "I heard one."), say(700, 400, "I heard two."));
  call = await callOpenAI();
  await expect.poll(() => shownTexts()).toEqual(["Hello."]);
  call.send("send-text", { content: "One." });
  call.send("send-text", { content: "Two." });
  await heard(700);
  expect(heardMs(1_100)).toBe(0);
  // The first text may interrupt the end of the greeting.
  const texts = [expect.stringMatching(/^Hello\.?$/), "One.", "Two.", "I heard two."];
  expect(lastSession().conversation.map(({ text }) => text)).toEqual(texts);
  expect(lastSession().errors).toEqual([]);
});

test("answers a text that arrives while the bot connects", async () => {
  openai.unresponsive = true;
  call = await callOpenAI();
  call.send("send-text", { content: "One." });
  openai.unresponsive = false;
  await heard(500);
  expect(lastSession().conversation.map(({ text }) => text)).toEqual(["One.", "Hello."]);
  expect(warnings()).toEqual([]);
});

test("responds later when OpenAI rejects a response because another one is active", async () => {
  replies = [say(500, 5_000, "A long story.")];
  call = await callOpenAI();
  await heard(500);
  lastSession().send({ type: "error", error: { code: "conversation_already_has_active_response" } });
  const requests = () => lastSession().received.filter(({ type }) => type === "response.create");
  await expect.poll(requests).toHaveLength(2);
  expect(lastSession().errors).toEqual([]);
});

test("connects again when the connection drops, and continues the conversation", async () => {
  replies = [say(500, 20_000, "Once upon a time, there was a bot. ".repeat(10)), say(700, 400, "Where were we?")];
  call = await callOpenAI();
  await call.say(silence({ durationMs: 1_000 }));
  const before = openai.sessions.length;
  lastSession().drop();
  await heard(700);
  expect(openai.sessions.length).toBe(before + 1);
  expect(lastSession().conversation[0]).toMatchObject({ role: "assistant", text: expect.stringMatching(/^Once upon/) });
  expect(heardMs(500)).toBeLessThan(2_000);
});

test("apologizes and hangs up when the connection drops twice", async () => {
  call = await callOpenAI();
  await heard(500);
  const before = openai.sessions.length;
  lastSession().drop();
  await expect.poll(() => openai.sessions.length).toBe(before + 1);
  lastSession().drop();
  expect(await call.ended).toBe("bot-finished");
  expect(openai.spoken.at(-1)).toMatch(/^Sorry/);
  await expect.poll(() => heardMs(900)).toBeGreaterThan(350);
  expect(call.received("error")).toMatchObject([{ error: expect.stringContaining("OpenAI") }]);
});

test("connects again when OpenAI does not answer for 10 s", async () => {
  openai.unresponsive = true;
  call = await callOpenAI();
  await expect.poll(() => warnings().join(), { timeout: 15_000 }).toContain("Opening handshake has timed out");
  openai.unresponsive = false;
  await heard(500);
});

test("ends the call when the apology gets no audio", async () => {
  await loseConnections();
  expect(await call.ended).toBe("bot-finished");
  expect(shownTexts().join()).toContain("Sorry");
});

test("ends the call when the audio of the apology stops halfway", async () => {
  const halfway = createServer((_request, response) => void response.writeHead(200).write(Buffer.alloc(4_800)));
  halfway.listen(0, "localhost");
  await once(halfway, "listening");
  const { port } = halfway.address() as AddressInfo;
  // OpenAI's SDK connects by TLS only, so that this server accepts no session.
  call = await callWith(new OpenAI({ apiKey: "key", baseURL: `http://localhost:${port}` }));
  expect(await call.ended).toBe("bot-finished");
  expect(shownTexts().join()).toContain("Sorry");
  halfway.close();
  halfway.closeAllConnections();
});

test("ends at once when the caller hangs up during the apology", async () => {
  await loseConnections();
  await expect.poll(() => call.received("error")).toHaveLength(1);
  const hungUpAt = performance.now();
  expect(await call.hangUp()).toBe("caller-left");
  expect(performance.now() - hungUpAt).toBeLessThan(2_000);
});

test("shows the apology when it cannot be spoken either", async () => {
  openai.unavailable = true;
  call = await callOpenAI();
  expect(await call.ended).toBe("bot-finished");
  expect(shownTexts().join()).toMatch(/^Sorry/);
});

test("a response that fails is shown", async () => {
  replies = [{ failure: "insufficient_quota" }];
  call = await callOpenAI();
  await expect.poll(() => call.received("error")).toHaveLength(1);
  expect(call.received("error")).toMatchObject([
    { error: "OpenAI did not respond: insufficient_quota.", fatal: false },
  ]);
});

test("a wrong key ends the call, and the log has the reason", async () => {
  call = await callBot(bot, { transport: "webrtc", cliArgs: { apiKey: "wrong" } });
  expect(await call.ended).toBe("bot-finished");
  expect(warnings().join()).toContain("Incorrect API key");
});

test("without a key, the caller's application shows which one is missing", async () => {
  call = await callBot(bot, { transport: "webrtc" });
  expect(await call.ended).toBe("bot-finished");
  expect(call.received("error")).toMatchObject([{ error: expect.stringContaining("OPENAI_API_KEY"), fatal: true }]);
});

function callOpenAI(): Promise<BotCall> {
  return callBot(bot, { transport: "webrtc", cliArgs: { apiKey: openai.env.OPENAI_API_KEY } });
}

/** Calls a bot with a client and functions of its own. */
function callWith(client: OpenAI, functions: Functions = {}): Promise<BotCall> {
  return callBot(async (args) => {
    const transport = await createTransport(args, { webrtc: () => ({}) });
    const { logger } = args.session;
    const session = { type: "realtime", model: "gpt-realtime" } as const;
    await converse({ client, session, functions, transport, rtvi: createRTVI(transport), logger });
  });
}

/** Calls the bot, and drops its connections. OpenAI does not answer its request for the apology. */
async function loseConnections(): Promise<void> {
  const before = openai.sessions.length;
  call = await callOpenAI();
  for (const count of [1, 2]) {
    await expect.poll(() => openai.sessions).toHaveLength(before + count);
    openai.unresponsive = count === 2;
    lastSession().drop();
  }
}

function say(hz: number, durationMs: number, transcript: string): OpenAIReply {
  return { speech: tone(hz, { durationMs, sampleRate }), transcript };
}

/** The caller's voice. */
function speech(durationMs: number) {
  return syllables(200, { durationMs });
}

function lastSession() {
  const session = openai.sessions.at(-1);
  if (!session) throw new Error("The bot has not connected.");
  return session;
}

/** Waits until the caller hears the model's voice `hz`. */
async function heard(hz: number): Promise<void> {
  await expect.poll(() => heardMs(hz)).toBeGreaterThan(100);
}

/** How long the caller has heard the voice `hz`, in ms. An interruption cuts the last frame. */
function heardMs(hz: number, sinceMs = 0): number {
  return toneMs(
    call.playout.played().filter(({ atMs }) => atMs >= sinceMs),
    hz,
  );
}

/** What the caller's application shows of the bot's speech. */
function shownTexts(): readonly string[] {
  return (call.received("bot-transcription") as readonly { readonly text: string }[]).map(({ text }) => text);
}

function warnings(): readonly string[] {
  const lines = call.logger.lines.filter(({ level }) => level === "warn" || level === "error");
  return lines.map(({ message, fields }) => `${message} ${fields.err ?? ""}`);
}
