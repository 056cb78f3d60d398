import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type BotCall,
  type BotCallOptions,
  callBot,
  silence,
  syllables,
  tone,
  toneMs,
} from "@pipecat-ts/runner-testing";
import { type FakeDeepgram, startFakeDeepgram } from "@pipecat-ts/runner-testing/deepgram";
import { type FakeElevenLabs, startFakeElevenLabs } from "@pipecat-ts/runner-testing/elevenlabs";
import { type ChatReply, type FakeChat, startFakeChat } from "@pipecat-ts/runner-testing/openai-chat";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { bot } from "./bot.ts";
import { startVoiceWorker } from "./voice-detector.ts";

vi.setConfig({ testTimeout: 30_000, expect: { poll: { timeout: 10_000 } } });

// Calls the bot with a simulated caller. Servers on this machine take the place of Deepgram, OpenAI and ElevenLabs.

let deepgram: FakeDeepgram;
let chat: FakeChat;
let elevenlabs: FakeElevenLabs;
let call: BotCall;
/** The answers of the model, in order. */
let replies: ChatReply[];

const greetingHz = 500;
const answerHz = 700;
const apologyHz = 900;
/** After how long without audio or `KeepAlive` Deepgram closes the connection. In reality 10 s. */
const idleMs = 6_000;

beforeAll(async () => {
  await startVoiceWorker();
}, 60_000);
beforeEach(async () => {
  replies = [];
  deepgram = await startFakeDeepgram({ idleMs, transcribe: (index) => `sentence ${index}` });
  chat = await startFakeChat({ reply: () => replies.shift() ?? { text: "I have nothing to say." } });
  elevenlabs = await startFakeElevenLabs({
    synthesize(text) {
      const hz = text.startsWith("Hello") ? greetingHz : text.startsWith("Sorry") ? apologyHz : answerHz;
      return tone(hz, { durationMs: 60 * text.length, sampleRate: 24_000 });
    },
  });
  for (const [name, value] of Object.entries({ ...deepgram.env, ...chat.env, ...elevenlabs.env }))
    vi.stubEnv(name, value);
});
afterEach(async () => {
  await call.hangUp();
  await Promise.all([deepgram.close(), chat.close(), elevenlabs.close()]);
});
afterAll(() => void vi.unstubAllEnvs());

test("greets the caller, hears the caller, and answers sentence by sentence", async () => {
  replies = [{ text: "One. Two." }];
  call = await callServices();
  await heard(greetingHz);
  await call.say(speech(800));
  await heard(answerHz);
  expect(call.received("user-started-speaking")).toHaveLength(1);
  await expect.poll(() => shownTexts().slice(-2)).toEqual(["One.", "Two."]);
  expect(call.received("user-transcription").at(-1)).toMatchObject({ text: "sentence 0", final: true });
  expect(call.received("user-transcription")[0]).toMatchObject({ final: false });
  expect(elevenlabs.spoken.slice(1)).toEqual(["One. ", "Two."]);
  expect(await call.hangUp()).toBe("caller-left");
  await expect.poll(() => lastSession().isOpen).toBe(false);
  expect(warnings().filter((line) => /service|Deepgram/.test(line))).toEqual([]);
});

test("an interruption stops the bot and its requests, and the model learns what was heard", async () => {
  const sentence = "This is a very long answer that the caller does not want to hear to its end. ".repeat(4);
  replies = [{ text: sentence }, { text: "Go ahead." }];
  call = await callServices();
  await call.say(speech(800));
  await heard(answerHz);
  await call.say(silence({ durationMs: 800 }));
  await call.say(speech(400));
  const heardBeforeMs = heardMs(answerHz);
  await call.say(speech(400));
  await expect.poll(() => chat.requests).toHaveLength(2);
  expect(heardMs(answerHz) - heardBeforeMs).toBeLessThan(100);
  const answer = String(chat.requests[1]?.findLast(({ role }) => role === "assistant")?.content);
  expect(answer.length).toBeGreaterThan(0);
  expect(answer.length).toBeLessThan(100);
  expect(sentence.startsWith(answer)).toBe(true);
  expect(chat.requests[1]?.at(-1)).toEqual({ role: "user", content: "sentence 1" });
});

test("calls a function, and continues with its result", async () => {
  replies = [{ functionCall: { name: "currentTime", arguments: {} } }, { text: "It is late." }];
  call = await callServices();
  await heard(greetingHz);
  call.send("send-text", { content: "What time is it?" });
  await heard(answerHz);
  expect(chat.requests[1]?.at(-1)).toMatchObject({ role: "tool", content: expect.stringMatching(/^"?\d+:\d+/) });
  // The next answer knows the call, and the sentence that followed it, once.
  await expect.poll(() => shownTexts()).toContain("It is late.");
  call.send("send-text", { content: "Bye." });
  await expect.poll(() => chat.requests).toHaveLength(3);
  const roles = chat.requests[2]?.map(({ role }) => role) ?? [];
  expect(roles.slice(roles.indexOf("tool") - 1)).toEqual(["assistant", "tool", "assistant", "user"]);
});

test("answers when Deepgram leaves Finalize unanswered", async () => {
  deepgram.ignoresFinalize = true;
  replies = [{ text: "One." }, { text: "Two." }];
  call = await callServices();
  await call.say(speech(800));
  await expect.poll(() => shownTexts().at(-1)).toBe("One.");
  await call.say(speech(800));
  await expect.poll(() => shownTexts().at(-1)).toBe("Two.");
  expect(chat.requests.map((messages) => messages.at(-1)?.content)).toEqual(["sentence 0", "sentence 1"]);
});

test("stays connected to Deepgram while the caller sends no audio", async () => {
  call = await callServices({}, { sendsSilence: false });
  await sleep(idleMs + 1_500);
  await call.say(speech(800));
  await call.say(silence({ durationMs: 800 }));
  await heard(answerHz);
  expect(deepgram.sessions).toHaveLength(1);
});

test("connects again when the transcription drops", async () => {
  call = await callServices();
  await expect.poll(() => deepgram.sessions).toHaveLength(1);
  lastSession().drop();
  await expect.poll(() => deepgram.sessions).toHaveLength(2);
  await call.say(speech(800));
  await heard(answerHz);
});

test("answers what the caller has said when the transcription drops before the turn is complete", async () => {
  deepgram.ignoresFinalize = true;
  call = await callServices();
  await call.say(speech(800));
  await expect.poll(() => call.received("user-transcription").at(-1)).toMatchObject({ text: "sentence 0" });
  lastSession().drop();
  await expect.poll(() => chat.requests[0]?.at(-1)).toEqual({ role: "user", content: "sentence 0" });
  expect(call.received("user-transcription").at(-1)).toMatchObject({ text: "sentence 0", final: true });
});

test.each(["twice", "never connects"])("apologizes and hangs up when the transcription drops: %s", async (how) => {
  deepgram.unavailable = how === "never connects";
  call = await callServices();
  for (let count = 1; how === "twice" && count <= 2; count++) {
    await expect.poll(() => deepgram.sessions).toHaveLength(count);
    lastSession().drop();
  }
  expect(await call.ended).toBe("bot-finished");
  await expect.poll(() => heardMs(apologyHz)).toBeGreaterThan(1_000);
  expect(call.received("error")).toMatchObject([{ error: expect.stringContaining("has failed") }]);
  const lost = ["error of Deepgram", "connection to Deepgram lost"];
  const logged = warnings().filter((line) => line.includes("Deepgram"));
  expect(logged.map((line) => lost.findIndex((text) => line.startsWith(text)))).toEqual(
    how === "twice" ? [1, 1] : [0, 1, 0, 1],
  );
});

test("apologizes and hangs up when the model does not answer", async () => {
  call = await callServices({ openaiKey: "wrong" });
  await call.say(speech(800));
  expect(await call.ended).toBe("bot-finished");
  expect(elevenlabs.spoken.at(-1)).toMatch(/^Sorry/);
  expect(warnings().join()).toContain("Incorrect API key");
});

test("nothing interrupts the apology", async () => {
  call = await callServices({ openaiKey: "wrong" });
  call.send("send-text", { content: "Hello?" });
  await heard(apologyHz);
  call.send("send-text", { content: "Hello?" });
  call.send("client-message", { t: "interrupt" });
  await call.say(speech(800));
  expect(await call.ended).toBe("bot-finished");
  const [apology = ""] = elevenlabs.spoken.slice(-1);
  expect(heardMs(apologyHz)).toBeGreaterThan(60 * apology.length - 200);
});

test.each(["unavailable", "unresponsive"] as const)(
  "shows the apology when the speech service is %s",
  async (state) => {
    elevenlabs[state] = true;
    call = await callServices();
    expect(await call.ended).toBe("bot-finished");
    expect(shownTexts().join()).toContain("Sorry");
  },
);

test("ends the call when the audio of a sentence stops halfway", async () => {
  const halfway = createServer((_request, response) => void response.writeHead(200).write(Buffer.alloc(4_800)));
  halfway.listen(0, "localhost");
  await once(halfway, "listening");
  vi.stubEnv("ELEVENLABS_BASE_URL", `http://localhost:${(halfway.address() as AddressInfo).port}`);
  call = await callServices();
  expect(await call.ended).toBe("bot-finished");
  expect(shownTexts().join()).toContain("Sorry");
  expect(warnings().join()).toContain("ElevenLabs does not send audio.");
  halfway.close();
  halfway.closeAllConnections();
});

test.each(["deepgramKey", "openaiKey", "elevenlabsKey"])(
  "without %s, the caller's application shows what is missing",
  async (name) => {
    call = await callServices({ [name]: undefined });
    expect(await call.ended).toBe("bot-finished");
    expect(call.received("error")).toMatchObject([
      { error: expect.stringMatching(/^[A-Z]+_API_KEY is not set/), fatal: true },
    ]);
  },
);

function callServices(
  changes: Readonly<Record<string, string | undefined>> = {},
  options: BotCallOptions = {},
): Promise<BotCall> {
  const cliArgs = {
    deepgramKey: deepgram.env.DEEPGRAM_API_KEY,
    openaiKey: chat.env.OPENAI_API_KEY,
    elevenlabsKey: elevenlabs.env.ELEVENLABS_API_KEY,
    ...changes,
  };
  return callBot(bot, { transport: "webrtc", cliArgs, ...options });
}

/** The caller's voice. */
function speech(durationMs: number) {
  return syllables(200, { durationMs });
}

function lastSession() {
  const session = deepgram.sessions.at(-1);
  if (!session) throw new Error("The bot has not connected.");
  return session;
}

/** Waits until the caller hears the voice `hz`. */
async function heard(hz: number): Promise<void> {
  await expect.poll(() => heardMs(hz)).toBeGreaterThan(100);
}

/** How long the caller has heard the voice `hz`, in ms. */
function heardMs(hz: number): number {
  return toneMs(call.playout.played(), hz);
}

/** What the caller's application shows of the bot's speech. */
function shownTexts(): readonly string[] {
  return (call.received("bot-transcription") as readonly { readonly text: string }[]).map(({ text }) => text);
}

function warnings(): readonly string[] {
  const lines = call.logger.lines.filter(({ level }) => level === "warn" || level === "error");
  return lines.map(({ message, fields }) => `${message} ${fields.err ?? ""}`);
}
