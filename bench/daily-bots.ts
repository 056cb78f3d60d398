import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { AudioFrame } from "@pipecat-ts/audio";
import { connectDaily, createBrowserClient, type DailyClient } from "@pipecat-ts/runner-daily";
import { createStandaloneTransport } from "@pipecat-ts/runner-media";
import { tone } from "@pipecat-ts/runner-testing";
// A fake of Daily's servers, from the package's tests.
import { browserProcesses } from "../packages/runner-daily/src/test/browser-processes.ts";
import { openRoomServer } from "../packages/runner-daily/src/test/room-server.ts";
import { median, table } from "./figures.ts";

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
export async function measureDailyBots(counts: readonly number[], seconds: number): Promise<string> {
  const { state, ...availability } = createBrowserClient().check();
  if (state !== "ready") return `Daily: not measured. ${"reason" in availability ? availability.reason : ""}`;
  const rows = [["bots", "join ms", "bot to caller ms", "caller to bot ms", "PSS MB a bot", "CPU % of a core a bot"]];
  for (const count of counts) rows.push(await measure(count, seconds));
  return table(rows);
}

async function measure(count: number, seconds: number): Promise<string[]> {
  const server = await openRoomServer();
  const pairs: Pair[] = [];
  try {
    for (let n = 0; n < count; n++) pairs.push(await openPair(server, `room-${n}`));
    await sleep(settleMs);
    const processes = pairs.flatMap((pair) => pair.processes);
    const startMs = performance.now();
    const startTicks = sum(processes.map(cpuTicks));
    const each = await Promise.all(pairs.map((pair) => measureLatencies(pair, seconds)));
    const cpuMs = (sum(processes.map(cpuTicks)) - startTicks) * 10;
    const cpuPercent = (100 * cpuMs) / (performance.now() - startMs);
    const pssMb = sum(processes.map(pssKilobytes)) / 1024;
    return [
      String(count),
      median(pairs.map(({ joinMs }) => joinMs)).toFixed(0),
      median(each.flatMap(({ toCaller }) => toCaller)).toFixed(0),
      median(each.flatMap(({ toBot }) => toBot)).toFixed(0),
      (pssMb / count).toFixed(0),
      (cpuPercent / count).toFixed(0),
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

/** CPU time in hundredths of a second: fields 14 and 15 of proc(5). */
function cpuTicks(pid: number): number {
  const fields = readProc(pid, "stat")
    .replace(/^.*\) /, "")
    .split(" ");
  return Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
}

/** Proportional set size: shared memory counts for each process in proportion. */
function pssKilobytes(pid: number): number {
  return Number(readProc(pid, "smaps_rollup").match(/^Pss:\s+(\d+)/m)?.[1] ?? 0);
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return ""; // A helper process of the browser that has exited.
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

const nothing = () => undefined;
const silent = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => silent };
