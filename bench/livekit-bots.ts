import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { AudioFrame } from "@pipecat-ts/audio";
import { withTimeout } from "@pipecat-ts/runner-core";
import { tone } from "@pipecat-ts/runner-testing";
import { loadSdk } from "../packages/runner-livekit/src/rtc-client.ts";
// From the package's tests.
import { account, serverProgram, startLiveKitServer } from "../packages/runner-livekit/src/test/livekit-server.ts";
import { joinRoom, type RtcCaller } from "../packages/runner-livekit/src/test/rtc-caller.ts";
import { createToken } from "../packages/runner-livekit/src/token.ts";
import { type Figure, median } from "./figures.ts";
import type { BotEvent, BotRequest, Usage } from "./livekit-bot-process.ts";

const settleMs = 3_000;
/** A word that is not heard for so long is lost. */
const lostMs = 5_000;
const apiKey = { key: account.apiKey, secret: account.apiSecret };

/**
 * The cost of bots in LiveKit rooms: the time to join, the time of a word from the bot to the caller and from the caller to the bot,
 * and the memory and CPU of the process with the bots, which receive and send all the time. The server, and the callers in this
 * process, run on the same machine.
 */
export async function measureLiveKitBots(counts: readonly number[], seconds: number): Promise<Figure[]> {
  if (serverProgram === undefined) {
    console.error("LiveKit: not measured. Run pnpm test:livekit, which builds livekit-server.");
    return [];
  }
  const figures: Figure[] = [];
  for (const count of counts) figures.push(...(await measure(count, seconds)));
  // Otherwise the native part keeps this process running.
  await loadSdk().dispose();
  return figures;
}

async function measure(count: number, seconds: number): Promise<Figure[]> {
  await using server = await startLiveKitServer();
  const bots = createBots();
  const callers: RtcCaller[] = [];
  const detectors: Detector[] = [];
  try {
    const [empty] = await bots.ask<Usage>({ usage: true }, "usage");
    const joinMs: number[] = [];
    for (let n = 0; n < count; n++) {
      await server.rooms.createRoom(`room-${n}`, 3_600_000);
      const [joined] = await bots.ask<number>({ join: { url: server.url, token: token(n, true) } }, "joinedMs");
      joinMs.push(joined);
      const detector = createDetector();
      detectors.push(detector);
      callers.push(await joinRoom(server.url, token(n, false), detector.hear));
    }
    await sleep(settleMs);
    const toCaller: number[] = [];
    const toBot: number[] = [];
    for (let n = 0; n < seconds; n++) {
      const bot = n % count;
      const [caller, detector] = [callers[bot], detectors[bot]];
      if (detector) toCaller.push(await measureToCaller(bots, bot, detector));
      if (caller) toBot.push(await measureToBot(bots, caller));
    }
    await bots.ask({ echo: true }, "echoes");
    const talking = callers.map(talk);
    await sleep(settleMs);
    const [before] = await bots.ask<Usage>({ usage: true }, "usage");
    await sleep(seconds * 1000);
    const [after] = await bots.ask<Usage>({ usage: true }, "usage");
    for (const stop of talking) stop();
    const names = `${count} LiveKit ${count === 1 ? "bot" : "bots"}`;
    const cpuPercent = (100 * (after.cpuMs - before.cpuMs)) / (after.atMs - before.atMs);
    return [
      { name: `${names}: join`, value: median(joinMs), unit: "ms" },
      { name: `${names}: bot to caller`, value: median(toCaller.filter(Number.isFinite)), unit: "ms", target: "≤ 150" },
      { name: `${names}: caller to bot`, value: median(toBot.filter(Number.isFinite)), unit: "ms", target: "≤ 150" },
      { name: `${names}: memory per bot`, value: (after.rss - empty.rss) / count / 2 ** 20, unit: "MB" },
      { name: `${names}: CPU per bot`, value: cpuPercent / count, unit: "% of a core" },
    ];
  } finally {
    await Promise.all(callers.map((caller) => caller.hangUp()));
    await bots.close();
  }
}

function token(room: number, isBot: boolean): string {
  const video = { room: `room-${room}`, roomJoin: true, ...(isBot && { agent: true }) };
  return createToken(apiKey, { identity: isBot ? "bot" : "caller", ...(isBot && { kind: "agent" }), video }, 600_000);
}

interface Bots {
  /** Sends a request, and resolves with the next event of this name. */
  ask<Value>(request: BotRequest, event: BotEvent["name"]): Promise<[Value]>;
  next<Value>(event: BotEvent["name"]): Promise<[Value]>;
  close(): Promise<void>;
}

function createBots(): Bots {
  const child = fork(join(import.meta.dirname, "livekit-bot-process.ts"));
  child.on("message", ({ name, value }: BotEvent) => child.emit(`bot-${name}`, value));
  const next = <Value>(event: string) => once(child, `bot-${event}`) as Promise<[Value]>;
  return {
    next,
    ask(request, event) {
      const answer = next(event);
      child.send(request);
      return answer as Promise<[never]>;
    },
    async close() {
      const exited = once(child, "exit");
      child.kill();
      await exited;
    },
  };
}

/** On the scale of all processes of this machine, in ms. */
const now = () => performance.timeOrigin + performance.now();

async function measureToCaller(bots: Bots, bot: number, detector: Detector): Promise<number> {
  const heard = detector.next();
  const [startMs] = await bots.ask<number>({ speak: bot }, "spokeAtMs");
  const isHeard = await withTimeout(heard, lostMs);
  await sleep(400);
  return isHeard ? (await heard) - startMs : Number.NaN;
}

/** Detects when a caller receives something loud. */
interface Detector {
  hear(frame: AudioFrame): void;
  next(): Promise<number>;
}

function createDetector(): Detector {
  let onLoud: ((atMs: number) => void) | undefined;
  return {
    hear({ samples }) {
      if (!samples.some((sample) => Math.abs(sample) > 3_000)) return;
      onLoud?.(now());
      onLoud = undefined;
    },
    next: () =>
      new Promise((resolve) => {
        onLoud = resolve;
      }),
  };
}

async function measureToBot(bots: Bots, caller: RtcCaller): Promise<number> {
  const heard = bots.next<number>("heardAtMs");
  const startMs = now();
  const word = tone(440, { durationMs: 200, sampleRate: 16_000 });
  for (let at = 0; at < word.samples.length; at += 320) {
    caller.sendAudio({ ...word, samples: word.samples.subarray(at, at + 320) });
  }
  const isHeard = await withTimeout(heard, lostMs);
  await sleep(400);
  return isHeard ? (await heard)[0] - startMs : Number.NaN;
}

/** Sends a tone in real time until the returned function is called. */
function talk(caller: RtcCaller): () => void {
  const second = tone(440, { durationMs: 1_000, sampleRate: 16_000 });
  let sent = 0;
  const startMs = performance.now();
  const timer = setInterval(() => {
    for (; sent * 20 < performance.now() - startMs; sent++) {
      const at = (sent % 50) * 320;
      caller.sendAudio({ ...second, samples: second.samples.subarray(at, at + 320) });
    }
  }, 10);
  return () => clearInterval(timer);
}
