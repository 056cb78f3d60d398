/**
 * `DAILY_API_KEY=… pnpm smoke:daily`: tries this package against Daily itself, which nothing else here does. Makes a room that
 * lives five minutes, has a bot and a caller join it, sends a tone and a message each way, and deletes the room. It costs
 * some participant minutes of the account.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { AudioFrame } from "@pipecat-ts/audio";
import { excerpt, findVoice, measurePitch, tone } from "@pipecat-ts/runner-testing";
import { configureDaily, createBrowserEngine, createDailyRest, createDailyTransport } from "./src/index.ts";

const patienceMs = 20_000;
const nothing = () => undefined;
const quiet = { debug: nothing, info: nothing, warn: console.warn, error: console.error, child: () => quiet };

async function waitFor(what: string, condition: () => boolean): Promise<void> {
  const startMs = performance.now();
  while (!condition()) {
    if (performance.now() - startMs > patienceMs) throw new Error(`${what}: not within ${patienceMs / 1000} s`);
    await sleep(20);
  }
  console.log(`ok  ${what} (${Math.round(performance.now() - startMs)} ms)`);
}

/** The pitch of what was heard; NaN while that is too little. */
function pitchOf(frames: readonly AudioFrame[]): number {
  const sampleRate = frames[0]?.sampleRate ?? 0;
  const samples = Int16Array.from(frames.flatMap((frame) => [...frame.samples]));
  const sound: AudioFrame = { samples, sampleRate, channels: 1 };
  const voice = findVoice(sound);
  if (!voice || voice.toMs - voice.fromMs < 600) return Number.NaN;
  return measurePitch(excerpt(sound, voice.fromMs + 100, voice.fromMs + 500)) ?? Number.NaN;
}

async function* saying(sound: AudioFrame) {
  yield sound;
}

/** Has `join` take a seat, and says how long it took. */
async function joining<Seat>(userName: string, join: Promise<Seat>): Promise<Seat> {
  const startMs = performance.now();
  const seat = await join;
  console.log(`ok  ${userName} joined (${Math.round(performance.now() - startMs)} ms)`);
  return seat;
}

// A room of its own, whatever room is set up: it is deleted afterwards.
Object.assign(process.env, { DAILY_ROOM_URL: "", DAILY_SAMPLE_ROOM_URL: "" });
const { DAILY_API_KEY: apiKey = "", DAILY_API_URL: apiUrl, DAILY_BUNDLE_URL, PIPECAT_CHROMIUM } = process.env;
const { roomUrl, token, callerToken } = await configureDaily({ lifetimeMs: 300_000 });
console.log(`ok  a room for five minutes: ${roomUrl}`);
const heard: Record<"bot" | "caller", AudioFrame[]> = { bot: [], caller: [] };
const messages: Record<"bot" | "caller", unknown[]> = { bot: [], caller: [] };
// Not a second bot: bots that meet in a room leave each other alone.
const caller = createBrowserEngine({
  chromium: PIPECAT_CHROMIUM || undefined,
  bundleUrl: DAILY_BUNDLE_URL || undefined,
}).open(
  {
    event({ action, data }) {
      if (action === "app-message") messages.caller.push(data);
    },
    audio: (_participant, _track, frame) => void heard.caller.push(frame),
    played: nothing,
    lost: (error) => console.error(error),
  },
  quiet,
);
const closers = [() => caller.close()];
try {
  const bot = await joining("the bot", createDailyTransport({ roomUrl, token, logger: quiet }));
  closers.push(() => bot.close());
  let connected = false;
  bot.on("clientConnected", () => {
    connected = true;
  });
  bot.on("appMessage", (message) => void messages.bot.push(message));
  void bot.input.pipeTo(new WritableStream({ write: (frame) => void heard.bot.push(frame) }));
  const seat = { roomUrl, token: callerToken, userName: "Caller", sampleRate: 24_000, hears: true, timeoutMs: 30_000 };
  await joining("a caller", caller.join(seat));
  await waitFor("the caller can hear the bot", () => connected);
  await bot.sendMessage({ from: "bot" });
  await caller.request("sendAppMessage", { from: "caller" }, "*");
  await waitFor("a message each way", () => messages.bot.length > 0 && messages.caller.length > 0);
  bot.play(saying(tone(440, { durationMs: 1_500, sampleRate: 24_000 })));
  await waitFor("the caller hears the bot's 440 Hz", () => Math.abs(pitchOf(heard.caller) - 440) < 10);
  caller.sendAudio(tone(660, { durationMs: 1_500, sampleRate: 24_000 }).samples);
  await waitFor("the bot hears the caller's 660 Hz", () => Math.abs(pitchOf(heard.bot) - 660) < 10);
} finally {
  await Promise.all(closers.map((close) => close()));
  const name = new URL(roomUrl).pathname.slice(1);
  await createDailyRest({ apiKey, ...(apiUrl && { apiUrl }) }).deleteRoom(name);
  console.log("ok  the room is deleted");
}
console.log(
  `All of it worked on ${new Date().toISOString().slice(0, 10)}: please say so in packages/runner-daily/README.md.`,
);
