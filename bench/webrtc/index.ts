import { setTimeout as pause } from "node:timers/promises";
import { type Child, startChild } from "../children.ts";
import { type Cost, costFigures } from "../cost.ts";
import { type Figure, median, percentile } from "../figures.ts";
import type { Usage } from "../usage.ts";
import type { TimeShares } from "./profile.ts";

const serverCore = 0;
const callerCore = 1;

/** How long callers wait from their offer, in ms: medians. */
interface Answers {
  readonly answer: number;
  readonly firstAudio: number;
}

interface Dialed {
  readonly answerMs: number;
  readonly firstAudioMs: number;
}

/** How soon callers get an answer and the first audio: the first call of some new servers, and the calls after it. */
export async function measureWebRTCAnswers(): Promise<Figure[]> {
  const [servers, callsEach] = [7, 10];
  const callers = await startChild("./webrtc/callers.ts", callerCore);
  const cold: Dialed[] = [];
  const warm: Dialed[] = [];
  try {
    // The calls to the first server warm up the callers' process and do not count.
    for (let round = 0; round <= servers; round++) {
      const server = await startChild("./webrtc/runner-server.ts", serverCore);
      const { url } = await server.ask<{ url: string }>({ ask: "url" });
      for (let call = 0; call <= callsEach; call++) {
        const dialed = await callers.ask<Dialed>({ ask: "dial", url });
        if (round > 0) (call === 0 ? cold : warm).push(dialed);
      }
      await server.stop();
    }
  } finally {
    await callers.stop();
  }
  const [first, later] = [medians(cold), medians(warm)];
  return [
    { name: "offer → answer, warm", value: later.answer, unit: "ms", target: "≤ 8" },
    { name: "offer → answer, the first of a process", value: first.answer, unit: "ms", target: "≤ 30" },
    { name: "offer → first audio, warm", value: later.firstAudio, unit: "ms", target: "≤ 70" },
    { name: "offer → first audio, the first of a process", value: first.firstAudio, unit: "ms", target: "≤ 100" },
  ];
}

function medians(calls: readonly Dialed[]): Answers {
  return {
    answer: median(calls.map(({ answerMs }) => answerMs)),
    firstAudio: median(calls.map(({ firstAudioMs }) => firstAudioMs)),
  };
}

/** The options of the measurements below. */
export interface WebRTCBench {
  readonly seconds: number;
  /** The numbers of sessions. */
  readonly sessions: readonly number[];
  /** Whether Pipecat's own runner is measured too. */
  readonly python: boolean;
}

/** The delay of a packet through the runner and the example bot over the loopback, and the effect of a bad network. */
export async function measureWebRTCEcho({ seconds }: WebRTCBench): Promise<Figure[]> {
  const network = { lossPercent: 5, jitterMs: 30 };
  const good = await measureDelays(seconds);
  const bad = await measureDelays(seconds, network);
  const percent = (ms: number) => (100 * ms) / (bad.packets.frames * 20);
  const p50 = percentile(good.delaysMs, 0.5);
  // The delay that the runner adds, without that of the packets themselves.
  const addedMs = percentile(bad.delaysMs, 0.5) - p50 - network.jitterMs / 2;
  const bad5 = `${network.lossPercent} % loss, ${network.jitterMs} ms of jitter`;
  return [
    { name: "packet in → packet out: p50", value: p50, unit: "ms", target: "≤ 30" },
    { name: "packet in → packet out: p99", value: percentile(good.delaysMs, 0.99), unit: "ms", target: "≤ 45" },
    // No caller can do better than lose what the network lost.
    { name: `${bad5}: concealed`, value: percent(bad.packets.concealedMs), unit: "%", floor: bad.lostPercent },
    { name: `${bad5}: restored from FEC`, value: percent(bad.packets.recoveredMs), unit: "%", moreIsBetter: true },
    { name: `${bad5}: delay added by the jitter buffer`, value: addedMs, unit: "ms" },
  ];
}

interface Delays {
  readonly delaysMs: readonly number[];
  readonly lostPercent: number;
}

/** What the runner logs about a caller's packets when a call ends. */
interface Packets {
  readonly frames: number;
  readonly concealedMs: number;
  readonly recoveredMs: number;
}

/** The delay of a call depends on the pacer tick at which its packets arrive: eight calls cover the range. */
const delayCallers = 8;
/** Until the jitter buffer has adapted to the network: it looks back 10 s. */
const delaySettleMs = 12_000;

async function measureDelays(
  seconds: number,
  network?: { readonly lossPercent: number; readonly jitterMs: number },
): Promise<Delays & { readonly packets: Packets }> {
  const server = await startChild("./webrtc/runner-server.ts", serverCore);
  const callers = await startChild("./webrtc/callers.ts", callerCore);
  try {
    const { url } = await server.ask<{ url: string }>({ ask: "url" });
    await callers.ask({ ask: "connect and time", url, count: delayCallers });
    if (network !== undefined) await callers.ask({ ask: "degrade", ...network });
    await pause(delaySettleMs);
    await callers.ask({ ask: "count" });
    await pause(seconds * 1000);
    const delays = await callers.ask<Delays>({ ask: "disconnect" });
    await pause(1000); // the runner notices the end of a call after 0.5 s
    const { calls } = await server.ask<{ calls: Packets[] }>({ ask: "packets" });
    const sum = (name: keyof Packets) => calls.reduce((total, call) => total + call[name], 0);
    return {
      ...delays,
      packets: { frames: sum("frames"), concealedMs: sum("concealedMs"), recoveredMs: sum("recoveredMs") },
    };
  } finally {
    await Promise.all([server.stop(), callers.stop()]);
  }
}

/** The cost of echo sessions, each number beside its floor. */
export async function measureWebRTCSessions({ seconds, sessions, python }: WebRTCBench): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const count of sessions) {
    const floor = await measureFloor(count, seconds);
    const other = python ? await measureEcho("./servers/python.ts", count, seconds) : undefined;
    const { cost } = await measureRunner(count, seconds);
    figures.push(...costFigures(`${count} WebRTC`, cost, floor, other));
  }
  return figures;
}

/** Where the time of the largest number of sessions goes. */
export async function measureWebRTCProfile({ seconds, sessions }: WebRTCBench): Promise<Figure[]> {
  const count = sessions.at(-1) ?? 1;
  const { shares, cost } = await measureRunner(count, Math.min(seconds, 20), true);
  return Object.entries(shares).map(([part, share]) => ({
    name: `${count} WebRTC, ${part}: CPU each`,
    value: (share * cost.usage.cpuPercent) / 100 / count,
    unit: "% of a core",
  }));
}

/** Until code is compiled, and callers have reported ten times that they lose no packets. */
const settleMs = 15_000;

async function measureFloor(count: number, seconds: number): Promise<Cost> {
  const server = await startChild("./webrtc/floor.ts", serverCore);
  const callers = await startChild("./webrtc/floor.ts", callerCore);
  try {
    const { rssMb } = await server.ask<Usage>({ ask: "usage" });
    const { ports } = await server.ask<{ ports: number[] }>({ ask: "open", count });
    await callers.ask({ ask: "connect", ports });
    return { idleRssMb: rssMb, ...(await measureCost(server, callers, count, seconds)) };
  } finally {
    await Promise.all([server.stop(), callers.stop()]);
  }
}

/** `count` callers speak to an echo; then `measureMore` may ask its server for more. */
async function measureEcho(
  module: string,
  count: number,
  seconds: number,
  measureMore: (server: Child) => Promise<void> = async () => undefined,
): Promise<Cost> {
  const server = await startChild(module, serverCore);
  const callers = await startChild("./webrtc/callers.ts", callerCore);
  try {
    const { rssMb } = await server.ask<Usage>({ ask: "usage" });
    const { url, offerUrl = url } = await server.ask<{ url: string; offerUrl?: string }>({ ask: "url" });
    await callers.ask({ ask: "connect", url: offerUrl, count });
    const cost = { idleRssMb: rssMb, ...(await measureCost(server, callers, count, seconds)) };
    await measureMore(server);
    return cost;
  } finally {
    await callers.ask({ ask: "disconnect" });
    await Promise.all([server.stop(), callers.stop()]);
  }
}

/** With `profiled`, also where the time goes, measured for the same duration afterwards. */
async function measureRunner(
  count: number,
  seconds: number,
  profiled = false,
): Promise<{ readonly cost: Cost; readonly shares: TimeShares }> {
  let shares: TimeShares = {};
  const cost = await measureEcho("./webrtc/runner-server.ts", count, seconds, async (server) => {
    if (!profiled) return;
    await server.ask({ ask: "start profile" });
    await pause(seconds * 1000);
    shares = await server.ask<TimeShares>({ ask: "stop profile" });
  });
  return { cost, shares };
}

async function measureCost(
  server: Child,
  callers: Child,
  count: number,
  seconds: number,
): Promise<Omit<Cost, "idleRssMb">> {
  await pause(settleMs);
  await server.ask({ ask: "usage" });
  await callers.ask({ ask: "count" });
  await pause(seconds * 1000);
  const usage = await server.ask<Cost["usage"]>({ ask: "usage" });
  const { received } = await callers.ask<{ received: number }>({ ask: "count" });
  return { count, usage, returnedPercent: (100 * received) / (count * seconds * 50) };
}
