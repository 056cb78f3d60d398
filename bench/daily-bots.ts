import { setTimeout as sleep } from "node:timers/promises";
import type { AudioFrame } from "@pipecat-ts/audio";
import { connectDaily, createBrowserClient, type DailyClient } from "@pipecat-ts/runner-daily";
import { createStandaloneTransport } from "@pipecat-ts/runner-media";
import { tone } from "@pipecat-ts/runner-testing";
// A fake of Daily's servers, from the package's tests.
import { browserProcesses } from "../packages/runner-daily/src/test/browser-processes.ts";
import { openRoomServer } from "../packages/runner-daily/src/test/room-server.ts";
import { type Figure, median } from "./figures.ts";
import { readProcess } from "./usage.ts";

const settleMs = 3_000;
const sampleRate = 24_000;

/** A participant of a room. */
interface Participant {
  /** Sends a word of 200 ms. */
  speak(): void;
  /** Resolves with the time at which the participant next receives something loud. */
  nextLoud(): Promise<number>;
  close(): Promise<void>;
}

/** A bot and a caller in a room of their own, each with a browser of its own. */
interface Pair {
  readonly bot: Participant;
  readonly caller: Participant;
  readonly joinMs: number;
  /** The processes of the bot's browser. */
  readonly processes: readonly number[];
}

/**
 * The cost of bots in Daily rooms: their browsers' memory and CPU, the time to join, and the time of a word from the bot to the
 * caller and from the caller to the bot. The room is a fake on this machine, so that Daily's network is not included.
 */
export async function measureDailyBots(counts: readonly number[], seconds: number): Promise<Figure[]> {
  const { state, ...availability } = createBrowserClient().check();
  if (state !== "ready") {
    console.error(`Daily: not measured. ${"reason" in availability ? availability.reason : ""}`);
    return [];
  }
  const figures: Figure[] = [];
  for (const count of counts) figures.push(...(await measure(count, seconds)));
  return figures;
}

async function measure(count: number, seconds: number): Promise<Figure[]> {
  const server = await openRoomServer();
  const pairs: Pair[] = [];
  try {
    for (let n = 0; n < count; n++) pairs.push(await openPair(server, `room-${n}`));
    await sleep(settleMs);
    const processes = pairs.flatMap((pair) => pair.processes);
    const startMs = performance.now();
    const startCpuMs = sum(processes.map((pid) => readProcess(pid).cpuMs));
    const each = await Promise.all(pairs.map((pair) => measureLatencies(pair, seconds)));
    const used = processes.map(readProcess);
    const cpuMs = sum(used.map((process) => process.cpuMs)) - startCpuMs;
    const bots = `${count} Daily ${count === 1 ? "bot" : "bots"}`;
    return [
      { name: `${bots}: join`, value: median(pairs.map(({ joinMs }) => joinMs)), unit: "ms" },
      { name: `${bots}: bot to caller`, value: median(each.flatMap(({ toCaller }) => toCaller)), unit: "ms" },
      { name: `${bots}: caller to bot`, value: median(each.flatMap(({ toBot }) => toBot)), unit: "ms" },
      { name: `${bots}: memory per bot`, value: sum(used.map(({ pssMb }) => pssMb)) / count, unit: "MB" },
      {
        name: `${bots}: CPU per bot`,
        value: (100 * cpuMs) / (performance.now() - startMs) / count,
        unit: "% of a core",
      },
    ];
  } finally {
    await Promise.all(pairs.flatMap(({ bot, caller }) => [bot.close(), caller.close()]));
    await server[Symbol.asyncDispose]();
  }
}

async function openPair(server: { readonly origin: string; readonly bundleUrl: string }, room: string): Promise<Pair> {
  const client = createBrowserClient({ bundleUrl: server.bundleUrl });
  const roomUrl = `${server.origin}/${room}`;
  const before = new Set(browserProcesses().map(({ pid }) => pid));
  const startMs = performance.now();
  const bot = await openBot(client, roomUrl);
  const joinMs = performance.now() - startMs;
  const processes = browserProcesses()
    .map(({ pid }) => pid)
    .filter((pid) => !before.has(pid));
  return { bot, caller: await openCaller(client, roomUrl), joinMs, processes };
}

/** Uses the transport like a bot: receives the mix of the room and sends in real time. */
async function openBot(client: DailyClient, roomUrl: string): Promise<Participant> {
  const transport = await createStandaloneTransport({
    name: "daily",
    logger: silent,
    connect: (call) => connectDaily(call, { roomUrl, logger: silent, client }),
  });
  const detector = createDetector();
  void transport.input.pipeTo(new WritableStream({ write: detector.receive }));
  return {
    ...detector,
    speak: () => void transport.play(utterance()),
    close: () => transport.close("shutdown"),
  };
}

async function openCaller(client: DailyClient, roomUrl: string): Promise<Participant> {
  const detector = createDetector();
  const nothing = () => undefined;
  const call = client.open({
    joined: nothing,
    event: nothing,
    played: nothing,
    lost: (error) => console.error(error),
    audio: (_participant, _track, frame) => detector.receive(frame),
  });
  await call.join({ roomUrl, userName: "Caller", sampleRate, receiveAudio: true, timeoutMs: 60_000 });
  return { ...detector, speak: () => call.sendAudio(word.samples), close: () => call.close() };
}

function createDetector() {
  let onLoud: ((atMs: number) => void) | undefined;
  return {
    receive({ samples }: AudioFrame): void {
      if (!samples.some((sample) => Math.abs(sample) > 3_000)) return;
      onLoud?.(performance.now());
      onLoud = undefined;
    },
    nextLoud: () =>
      new Promise<number>((resolve) => {
        onLoud = resolve;
      }),
  };
}

/** Bot and caller alternate with a word per second. Returns the times of their words. */
async function measureLatencies({ bot, caller }: Pair, seconds: number) {
  const toCaller: number[] = [];
  const toBot: number[] = [];
  for (let n = 0; n < seconds; n++) {
    const startMs = performance.now();
    if (n % 2 === 0) toCaller.push(await latency(bot, caller));
    else toBot.push(await latency(caller, bot));
    await sleep(Math.max(0, startMs + 1_000 - performance.now()));
  }
  return { toCaller, toBot };
}

async function latency(speaker: Participant, listener: Participant): Promise<number> {
  const startMs = performance.now();
  const received = listener.nextLoud();
  speaker.speak();
  return (await received) - startMs;
}

const word: AudioFrame = tone(440, { durationMs: 200, sampleRate });

async function* utterance() {
  yield word;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

const nothing = () => undefined;
const silent = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => silent };
