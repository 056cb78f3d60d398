import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { AudioFrame } from "@pipecat-ts/audio";
import { connectDaily, createBrowserClient, type DailyClient } from "@pipecat-ts/runner-daily";
import { createStandaloneTransport } from "@pipecat-ts/runner-media";
import { tone } from "@pipecat-ts/runner-testing";
// The stand-in for Daily's servers is the package's own, for its tests, and nothing that is published.
import { browserProcesses } from "../packages/runner-daily/src/test/browser-processes.ts";
import { openRoomServer } from "../packages/runner-daily/src/test/room-server.ts";
import { median, table } from "./figures.ts";

const settleMs = 3_000;
const sampleRate = 24_000;

/** Somebody in a room. */
interface Seat {
  /** Says a word of 200 ms. */
  say(): void;
  /** When they are next to hear something loud. */
  nextLoud(): Promise<number>;
  close(): Promise<void>;
}

/** One bot and whoever it talks to, each in a browser of their own, in a room of their own. */
interface Pair {
  readonly bot: Seat;
  readonly caller: Seat;
  readonly joinMs: number;
  /** The processes of the bot's browser. */
  readonly processes: readonly number[];
}

/**
 * What bots in Daily rooms cost on this machine: the processes of their browsers, how long they take to join, and how long
 * a word takes from the bot, here, through a room to the caller's browser and back here, and from the caller to the bot.
 * Daily's own network is not in it: the room is a stand-in on this machine.
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

/** As a bot's code has it: with the mix of the room, and its pace. */
async function openBot(client: DailyClient, roomUrl: string): Promise<Seat> {
  const transport = await createStandaloneTransport({
    name: "daily",
    logger: silent,
    connect: (call) => connectDaily(call, { roomUrl, logger: silent, client }),
  });
  const ear = createEar();
  void transport.input.pipeTo(new WritableStream({ write: ear.hear }));
  return {
    ...ear,
    say: () => void transport.play(saying()),
    close: () => transport.close("shutdown"),
  };
}

async function openCaller(client: DailyClient, roomUrl: string): Promise<Seat> {
  const ear = createEar();
  const nothing = () => undefined;
  const call = client.open({
    joined: nothing,
    event: nothing,
    played: nothing,
    lost: (error) => console.error(error),
    audio: (_participant, _track, frame) => ear.hear(frame),
  });
  await call.join({ roomUrl, userName: "Caller", sampleRate, receiveAudio: true, timeoutMs: 60_000 });
  return { ...ear, say: () => call.sendAudio(word.samples), close: () => call.close() };
}

function createEar() {
  let heard: ((atMs: number) => void) | undefined;
  return {
    hear({ samples }: AudioFrame): void {
      if (!samples.some((sample) => Math.abs(sample) > 3_000)) return;
      heard?.(performance.now());
      heard = undefined;
    },
    nextLoud: () =>
      new Promise<number>((resolve) => {
        heard = resolve;
      }),
  };
}

/** Has them say a word each second by turns, for as long as told: the time that the words of each took. */
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

async function latency(speaker: Seat, listener: Seat): Promise<number> {
  const startMs = performance.now();
  const heard = listener.nextLoud();
  speaker.say();
  return (await heard) - startMs;
}

const word: AudioFrame = tone(440, { durationMs: 200, sampleRate });

async function* saying() {
  yield word;
}

/** Processor time in hundredths of a second: fields 14 and 15 of proc(5). */
function cpuTicks(pid: number): number {
  const fields = about(pid, "stat")
    .replace(/^.*\) /, "")
    .split(" ");
  return Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
}

/** Memory, with what is shared divided by those who share it. */
function pssKilobytes(pid: number): number {
  return Number(about(pid, "smaps_rollup").match(/^Pss:\s+(\d+)/m)?.[1] ?? 0);
}

function about(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return ""; // A helper of the browser's that has done its work.
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

const nothing = () => undefined;
const silent = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => silent };
