/**
 * `DAILY_API_KEY=… pnpm smoke:daily` is the only check against Daily's real servers. It creates a room for five minutes, lets a
 * bot and a caller join, sends a tone and a message in each direction, and deletes the room. Daily charges the participant
 * minutes.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { AudioFrame } from "@pipecat-ts/audio";
import { createStandaloneTransport } from "@pipecat-ts/runner-media";
import { excerpt, findVoice, measurePitch, tone } from "@pipecat-ts/runner-testing";
import { configureDaily, connectDaily, createBrowserClient, createDailyRest } from "./src/index.ts";

const timeoutMs = 20_000;
const nothing = () => undefined;
const quiet = { debug: nothing, info: nothing, warn: console.warn, error: console.error, child: () => quiet };

async function waitFor(name: string, condition: () => boolean): Promise<void> {
  const startMs = performance.now();
  while (!condition()) {
    if (performance.now() - startMs > timeoutMs) throw new Error(`${name}: timed out after ${timeoutMs / 1000} s`);
    await sleep(20);
  }
  console.log(`ok  ${name} (${Math.round(performance.now() - startMs)} ms)`);
}

/** The pitch of the received audio; NaN while it is too short. */
function pitchOf(frames: readonly AudioFrame[]): number {
  const sampleRate = frames[0]?.sampleRate ?? 0;
  const samples = Int16Array.from(frames.flatMap((frame) => [...frame.samples]));
  const sound: AudioFrame = { samples, sampleRate, channels: 1 };
  const voice = findVoice(sound);
  if (!voice || voice.toMs - voice.fromMs < 600) return Number.NaN;
  return measurePitch(excerpt(sound, voice.fromMs + 100, voice.fromMs + 500)) ?? Number.NaN;
}

async function* source(sound: AudioFrame) {
  yield sound;
}

/** Prints how long a participant took to join. */
async function timed<Result>(userName: string, join: Promise<Result>): Promise<Result> {
  const startMs = performance.now();
  const result = await join;
  console.log(`ok  ${userName} joined (${Math.round(performance.now() - startMs)} ms)`);
  return result;
}

// Always a new room, because it is deleted afterwards.
Object.assign(process.env, { DAILY_ROOM_URL: "", DAILY_SAMPLE_ROOM_URL: "" });
const { DAILY_API_KEY: apiKey = "", DAILY_API_URL: apiUrl, DAILY_BUNDLE_URL, PIPECAT_CHROMIUM } = process.env;
const { roomUrl, token, callerToken } = await configureDaily({ lifetimeMs: 300_000 });
console.log(`ok  created a room for five minutes: ${roomUrl}`);
const received: Record<"bot" | "caller", AudioFrame[]> = { bot: [], caller: [] };
const messages: Record<"bot" | "caller", unknown[]> = { bot: [], caller: [] };
const client = createBrowserClient({
  chromium: PIPECAT_CHROMIUM || undefined,
  bundleUrl: DAILY_BUNDLE_URL || undefined,
});
// Without `botUserData`, because bots ignore each other.
const caller = client.open({
  joined: nothing,
  event({ action, data }) {
    if (action === "app-message") messages.caller.push(data);
  },
  audio: (_participant, _track, frame) => void received.caller.push(frame),
  played: nothing,
  lost: (error) => console.error(error),
});
const closers = [() => caller.close()];
try {
  const bot = await timed(
    "the bot",
    createStandaloneTransport({
      name: "daily",
      logger: quiet,
      connect: (call) => connectDaily(call, { roomUrl, token, logger: quiet, client }),
    }),
  );
  closers.push(() => bot.close());
  let connected = false;
  bot.on("clientConnected", () => {
    connected = true;
  });
  bot.on("appMessage", (message) => void messages.bot.push(message));
  void bot.input.pipeTo(new WritableStream({ write: (frame) => void received.bot.push(frame) }));
  const request = {
    roomUrl,
    token: callerToken,
    userName: "Caller",
    sampleRate: 24_000,
    receiveAudio: true,
    timeoutMs: 30_000,
  };
  await timed("a caller", caller.join(request));
  await waitFor("the caller can hear the bot", () => connected);
  await bot.sendMessage({ from: "bot" });
  await caller.request("sendAppMessage", { from: "caller" }, "*");
  await waitFor("a message in each direction", () => messages.bot.length > 0 && messages.caller.length > 0);
  bot.play(source(tone(440, { durationMs: 1_500, sampleRate: 24_000 })));
  await waitFor("the caller receives the bot's 440 Hz", () => Math.abs(pitchOf(received.caller) - 440) < 10);
  caller.sendAudio(tone(660, { durationMs: 1_500, sampleRate: 24_000 }).samples);
  await waitFor("the bot receives the caller's 660 Hz", () => Math.abs(pitchOf(received.bot) - 660) < 10);
} finally {
  await Promise.all(closers.map((close) => close()));
  const name = new URL(roomUrl).pathname.slice(1);
  await createDailyRest({ apiKey, ...(apiUrl && { apiUrl }) }).deleteRoom(name);
  console.log("ok  deleted the room");
}
console.log(
  `All checks passed on ${new Date().toISOString().slice(0, 10)}. Please add this date to packages/runner-daily/README.md.`,
);
