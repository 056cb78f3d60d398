import { setTimeout as sleep } from "node:timers/promises";
import { GoogleGenAI } from "@google/genai";
import { type BotCall, callBot, silence, syllables, tone, toneMs } from "@pipecat-ts/runner-testing";
import { type FakeGemini, type GeminiReply, startFakeGemini } from "@pipecat-ts/runner-testing/gemini";
import { type Bot, createRTVI, createTransport } from "pipecat-runner";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { bot } from "./bot.ts";
import { converse } from "./conversation.ts";

vi.setConfig({ testTimeout: 30_000, expect: { poll: { timeout: 10_000 } } });

// Calls the bot with a simulated caller. A server on this machine takes the place of Gemini.

const sampleRate = 24_000;
let gemini: FakeGemini;
let call: BotCall;
/** The turns of the model, in order. */
let replies: GeminiReply[];

beforeEach(() => {
  replies = [say(500, 400, "Hello.")];
});
afterEach(async () => {
  await call.hangUp();
  await gemini.close();
  vi.unstubAllEnvs();
});

test("greets the caller, hears the caller, and answers", async () => {
  replies.push(say(700, 600, "Nice to meet you."));
  await callGemini();
  await expect.poll(() => shownTexts()).toEqual(["Hello."]);
  await call.say(speech(600));
  await heard(700);
  const transcriptions = call.received("user-transcription");
  expect(transcriptions.at(-1)).toMatchObject({ text: "sentence 0", final: true });
  expect(transcriptions[0]).toMatchObject({ final: false });
  await expect.poll(() => shownTexts().join(" ")).toBe("Hello. Nice to meet you.");
  expect(await call.hangUp()).toBe("caller-left");
  await expect.poll(() => lastSession().isOpen).toBe(false);
  expect(warnings().filter((line) => line.includes("Gemini"))).toEqual([]);
});

test.each([true, false])(
  "an interruption stops the bot and drops audio that arrives late; turnComplete: %s",
  async (completesInterrupted) => {
    const sentence = "This is a very long answer that the caller does not want to hear to its end. ".repeat(4);
    replies = [say(500, 20_000, sentence), say(700, 400, "Go ahead.")];
    await callGemini({ completesInterrupted });
    await heard(500);
    await call.say(silence({ durationMs: 800 }));
    await call.say(speech(600));
    await heard(700);
    expect(call.playout.clears).toBe(1);
    expect(heardMs(500, call.playout.clearedAtMs)).toBe(0);
    // What the application shows is what the caller heard, in whole words.
    const [shown = ""] = shownTexts();
    const heardLength = (sentence.length * heardMs(500)) / 20_000;
    expect(sentence.startsWith(shown)).toBe(true);
    expect(shown.length).toBeGreaterThan(0);
    expect(Math.abs(shown.length - heardLength)).toBeLessThan("interrupted".length);
  },
);

test("calls a function, and continues with its result", async () => {
  replies = [{ functionCall: { name: "currentTime", args: {} } }, say(600, 400, "It is late.")];
  await callGemini();
  await heard(600);
  expect(lastSession().inputs.at(-1)).toMatch(/^\[\{"output":"\d+:\d+/);
});

test("gives the model the error of a function that is missing, or whose result is not JSON", async () => {
  replies = ["nowhere", "count"].map((name) => ({ functionCall: { name, args: {} } }));
  replies.push(say(600, 400, "I cannot tell."));
  await callGemini({
    async called(args) {
      const transport = await createTransport(args, { webrtc: () => ({}) });
      const client = new GoogleGenAI({ apiKey: String(args.cliArgs.apiKey) });
      const { logger } = args.session;
      const functions = { count: () => 5n };
      await converse({ client, model: "model", config: {}, functions, transport, rtvi: createRTVI(transport), logger });
    },
  });
  await heard(600);
  expect(lastSession().inputs.slice(1)).toEqual([
    '[{"error":"Error: The function \\"nowhere\\" does not exist."}]',
    '[{"error":"TypeError: Do not know how to serialize a BigInt"}]',
  ]);
});

test("answers typed text, and stops when the application asks for it", async () => {
  replies = [say(500, 20_000, "A long story."), say(700, 20_000, "Another one.")];
  await callGemini();
  await heard(500);
  call.send("send-text", { content: "Stop that." });
  await heard(700);
  call.send("client-message", { t: "interrupt" });
  await expect.poll(() => call.received("bot-interrupted").length).toBeGreaterThan(1);
  const heardBeforeMs = heardMs(700);
  await sleep(1_500); // Gemini still sends the rest of the turn.
  expect(heardMs(700)).toBe(heardBeforeMs);
  expect(lastSession().inputs).toContain("Stop that.");
});

test("connects again when the connection drops, and resumes the session", async () => {
  replies.push(say(700, 400, "Yes?"));
  await callGemini();
  await expect.poll(() => shownTexts()).toEqual(["Hello."]);
  lastSession().drop();
  await expect.poll(() => gemini.sessions[1]?.setup).toMatchObject({ sessionResumption: { handle: "handle-1" } });
  await call.say(speech(600));
  await heard(700);
});

test("apologizes and hangs up when the connection drops twice", async () => {
  await callGemini();
  await heard(500);
  lastSession().drop();
  await expect.poll(() => gemini.sessions).toHaveLength(2);
  lastSession().drop();
  expect(await call.ended).toBe("bot-finished");
  expect(gemini.spoken.at(-1)).toMatch(/^Sorry/);
  await expect.poll(() => heardMs(900)).toBeGreaterThan(350);
  expect(call.received("error")).toMatchObject([{ error: expect.stringContaining("Gemini") }]);
});

test("connects again when Gemini does not answer for 10 s, and closes the late session", async () => {
  await callGemini({ unresponsive: true });
  await expect.poll(() => warnings().join(), { timeout: 15_000 }).toContain("Gemini did not answer");
  gemini.unresponsive = false;
  await heard(500);
  await expect.poll(() => gemini.sessions.map(({ isOpen }) => isOpen).sort()).toEqual([false, true]);
});

test("ends at once when the caller hangs up while the bot connects", async () => {
  await callGemini({ unresponsive: true });
  const hungUpAt = performance.now();
  expect(await call.hangUp()).toBe("caller-left");
  expect(performance.now() - hungUpAt).toBeLessThan(2_000);
  gemini.unresponsive = false;
  await expect.poll(() => gemini.sessions.map(({ isOpen }) => isOpen)).toEqual([false]);
});

test("ends the call when the apology gets no audio", async () => {
  await loseConnections();
  expect(await call.ended).toBe("bot-finished");
  expect(shownTexts().join()).toContain("Sorry");
});

test("ends at once when the caller hangs up during the apology", async () => {
  await loseConnections();
  await expect.poll(() => call.received("error")).toHaveLength(1);
  const hungUpAt = performance.now();
  expect(await call.hangUp()).toBe("caller-left");
  expect(performance.now() - hungUpAt).toBeLessThan(2_000);
});

test("shows the apology when it cannot be spoken either", async () => {
  await callGemini({ unavailable: true });
  expect(await call.ended).toBe("bot-finished");
  expect(shownTexts().join()).toMatch(/^Sorry/);
});

test("a wrong key ends the call, and the log has the reason", async () => {
  await callGemini({ apiKey: "wrong" });
  expect(await call.ended).toBe("bot-finished");
  expect(warnings().join()).toContain("API key not valid");
});

test("without a key, the caller's application shows which one is missing", async () => {
  await callGemini({ apiKey: undefined });
  expect(await call.ended).toBe("bot-finished");
  expect(call.received("error")).toMatchObject([{ error: expect.stringContaining("GEMINI_API_KEY"), fatal: true }]);
});

interface CallOptions {
  /** Default: the bot of this folder. */
  readonly called?: Bot;
  readonly completesInterrupted?: boolean;
  readonly unavailable?: boolean;
  readonly unresponsive?: boolean;
  readonly apiKey?: string | undefined;
}

async function callGemini({
  called = bot,
  completesInterrupted = true,
  unavailable = false,
  unresponsive = false,
  ...given
}: CallOptions = {}): Promise<void> {
  gemini = await startFakeGemini({
    completesInterrupted,
    reply: () => replies.shift() ?? say(200, 200, "I have nothing to say."),
    transcribe: (index) => `sentence ${index}`,
    synthesize: () => tone(900, { durationMs: 400, sampleRate }),
  });
  Object.assign(gemini, { unavailable, unresponsive });
  vi.stubEnv("GOOGLE_GEMINI_BASE_URL", gemini.env.GOOGLE_GEMINI_BASE_URL);
  const cliArgs = { apiKey: gemini.env.GEMINI_API_KEY, ...given };
  call = await callBot(called, { transport: "webrtc", cliArgs });
}

/** Calls the bot, and drops its connections. Gemini does not answer its request for the apology. */
async function loseConnections(): Promise<void> {
  await callGemini();
  for (const count of [1, 2]) {
    await expect.poll(() => gemini.sessions[count - 1]?.setup).toHaveProperty("model");
    gemini.unresponsive = count === 2;
    lastSession().drop();
  }
}

function say(hz: number, durationMs: number, transcript: string): GeminiReply {
  return { speech: tone(hz, { durationMs, sampleRate }), transcript };
}

/** The caller's voice. */
function speech(durationMs: number) {
  return syllables(200, { durationMs });
}

function lastSession() {
  const session = gemini.sessions.at(-1);
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
