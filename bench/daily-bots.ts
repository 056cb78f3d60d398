import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { createBrowserEngine, type DailyCall } from "@pipecat-ts/runner-daily";
// The stand-in for Daily's servers is the package's own, for its tests, and nothing that is published.
import { browserProcesses } from "../packages/runner-daily/src/test/browser-remains.ts";
import { openRoomServer } from "../packages/runner-daily/src/test/call-machine/room-server.ts";
import { median, table } from "./figures.ts";

const frameMs = 20;
const settleMs = 3_000;
const sampleRate = 24_000;

/** One bot and whoever it talks to, each in a browser of their own, in a room of their own. */
interface Pair {
  readonly bot: DailyCall;
  readonly caller: DailyCall;
  readonly joinMs: number;
  /** The processes of the bot's browser. */
  readonly processes: readonly number[];
  /** When the caller is next to hear something loud. */
  nextLoud(): Promise<number>;
}

/**
 * What bots in Daily rooms cost on this machine: the processes of their browsers, how long they take to join, and how long
 * a word takes from here through a room to the caller's browser and back here. Daily's own network is not in it: the room
 * is a stand-in on this machine.
 */
export async function measureDailyBots(counts: readonly number[], seconds: number): Promise<string> {
  const { state, ...availability } = createBrowserEngine().check();
  if (state !== "ready") return `Daily: not measured. ${"reason" in availability ? availability.reason : ""}`;
  const rows = [["bots", "join ms", "one way ms", "PSS MB a bot", "CPU % of a core a bot"]];
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
    const latencies = (await Promise.all(pairs.map((pair) => measureLatency(pair, seconds)))).flat();
    const cpuMs = (sum(processes.map(cpuTicks)) - startTicks) * 10;
    const cpuPercent = (100 * cpuMs) / (performance.now() - startMs);
    const pssMb = sum(processes.map(pssKilobytes)) / 1024;
    return [
      String(count),
      median(pairs.map(({ joinMs }) => joinMs)).toFixed(0),
      median(latencies).toFixed(0),
      (pssMb / count).toFixed(0),
      (cpuPercent / count).toFixed(0),
    ];
  } finally {
    await Promise.all(pairs.flatMap(({ bot, caller }) => [bot.close(), caller.close()]));
    await server[Symbol.asyncDispose]();
  }
}

async function openPair(server: { readonly origin: string; readonly bundleUrl: string }, room: string): Promise<Pair> {
  const engine = createBrowserEngine({ bundleUrl: server.bundleUrl });
  let heard: ((atMs: number) => void) | undefined;
  const open = (isCaller: boolean) =>
    engine.open(
      {
        event: () => undefined,
        played: () => undefined,
        lost: (error) => console.error(error),
        audio(_, __, { samples }) {
          if (!isCaller || !samples.some((sample) => Math.abs(sample) > 3_000)) return;
          heard?.(performance.now());
          heard = undefined;
        },
      },
      silent,
    );
  const join = { roomUrl: `${server.origin}/${room}`, sampleRate, hears: true, timeoutMs: 60_000 };
  const before = new Set(browserProcesses().map(({ pid }) => pid));
  const [bot, caller] = [open(false), open(true)];
  const startMs = performance.now();
  await bot.join({ ...join, userName: "Bot" });
  const joinMs = performance.now() - startMs;
  const processes = browserProcesses()
    .map(({ pid }) => pid)
    .filter((pid) => !before.has(pid));
  await caller.join({ ...join, userName: "Caller" });
  return {
    bot,
    caller,
    joinMs,
    processes,
    nextLoud: () =>
      new Promise((resolve) => {
        heard = resolve;
      }),
  };
}

/** Says a word of 200 ms each second, for as long as told; the time each of them took. */
async function measureLatency({ bot, nextLoud }: Pair, seconds: number): Promise<number[]> {
  const latencies: number[] = [];
  for (let n = 0; n < seconds; n++) {
    const startMs = performance.now();
    const heard = nextLoud();
    for (let index = 0; index < 10; index++) {
      bot.sendAudio(word(index));
      await sleep(Math.max(0, startMs + (index + 1) * frameMs - performance.now()));
    }
    latencies.push((await heard) - startMs);
    await sleep(Math.max(0, startMs + 1_000 - performance.now()));
  }
  return latencies;
}

function word(index: number): Int16Array {
  const length = (sampleRate * frameMs) / 1000;
  const at = (n: number) => (2 * Math.PI * 440 * (index * length + n)) / sampleRate;
  return Int16Array.from({ length }, (_, n) => 12_000 * Math.sin(at(n)));
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
