/**
 * `DAILY_API_KEY=… pnpm smoke:daily`: tries this package against Daily itself, which nothing else here does. Makes a room that
 * lives five minutes, has two bots join it, sends a tone and a message each way, and deletes the room. It costs some
 * participant minutes of the account.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { AudioFrame } from "@pipecat-ts/audio";
import { findVoice, measurePitch, tone } from "@pipecat-ts/runner-testing";
import { configureDaily, createDailyRest, createDailyTransport, type DailyTransport } from "./src/index.ts";

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

/** The pitch of what a bot hears; NaN while that is too little. */
function listen(transport: DailyTransport): () => number {
  const frames: AudioFrame[] = [];
  void transport.input.pipeTo(new WritableStream({ write: (frame) => void frames.push(frame) }));
  return () => {
    const samples = Int16Array.from(frames.flatMap((frame) => [...frame.samples]));
    const sound: AudioFrame = { samples, sampleRate: 16_000, channels: 1 };
    const voice = findVoice(sound);
    if (!voice || voice.toMs - voice.fromMs < 600) return Number.NaN;
    const [from, to] = [(voice.fromMs + 100) * 16, (voice.fromMs + 500) * 16];
    return measurePitch({ ...sound, samples: samples.subarray(from, to) }) ?? Number.NaN;
  };
}

async function* saying(sound: AudioFrame) {
  yield sound;
}

// A room of its own, whatever room is set up: it is deleted afterwards.
Object.assign(process.env, { DAILY_ROOM_URL: "", DAILY_SAMPLE_ROOM_URL: "" });
const { roomUrl, token, callerToken } = await configureDaily({ lifetimeMs: 300_000 });
console.log(`ok  a room for five minutes: ${roomUrl}`);
const transports: DailyTransport[] = [];
try {
  const join = async (userName: string, own: string) => {
    const startMs = performance.now();
    const transport = await createDailyTransport({ roomUrl, token: own, params: { userName }, logger: quiet });
    transports.push(transport);
    console.log(`ok  ${userName} joined (${Math.round(performance.now() - startMs)} ms)`);
    return transport;
  };
  const [ann, ben] = [await join("Ann", token), await join("Ben", callerToken)];
  const connected = new Set<string>();
  const messages: unknown[] = [];
  for (const [name, transport] of Object.entries({ ann, ben })) {
    transport.on("clientConnected", () => void connected.add(name));
    transport.on("appMessage", (message) => void messages.push(message));
  }
  const [pitchAtAnn, pitchAtBen] = [listen(ann), listen(ben)];
  await waitFor("both know of each other", () => connected.size === 2);
  await ann.sendMessage({ from: "Ann" });
  await ben.sendMessage({ from: "Ben" });
  await waitFor("a message each way", () => messages.length === 2);
  ann.play(saying(tone(440, { durationMs: 1_500, sampleRate: 24_000 })));
  await waitFor("Ben hears Ann's 440 Hz", () => Math.abs(pitchAtBen() - 440) < 10);
  ben.play(saying(tone(660, { durationMs: 1_500, sampleRate: 24_000 })));
  await waitFor("Ann hears Ben's 660 Hz", () => Math.abs(pitchAtAnn() - 660) < 10);
} finally {
  await Promise.all(transports.map((transport) => transport.close()));
  const { DAILY_API_KEY: apiKey = "", DAILY_API_URL: apiUrl } = process.env;
  const name = new URL(roomUrl).pathname.slice(1);
  await createDailyRest({ apiKey, ...(apiUrl && { apiUrl }) }).deleteRoom(name);
  console.log("ok  the room is deleted");
}
console.log(
  `All of it worked on ${new Date().toISOString().slice(0, 10)}: please say so in packages/runner-daily/README.md.`,
);
