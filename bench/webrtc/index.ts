import { setTimeout as pause } from "node:timers/promises";
import { type Child, startChild } from "../children.ts";
import { markdownTable, median, percentile } from "../figures.ts";
import type { PacerLag, Usage } from "../usage.ts";
import type { TimeShares } from "./profile.ts";

const serverCore = 0;
const callerCore = 1;
const heading = ["WebRTC", "measured", "target"];

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
export async function measureWebRTCAnswers(): Promise<string> {
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
  return markdownTable([
    heading,
    ["offer → answer, warm", `${later.answer.toFixed(1)} ms`, "15 ms"],
    ["offer → answer, the first of a process", `${first.answer.toFixed(1)} ms`, "60 ms"],
    ["offer → first audio, warm", `${later.firstAudio.toFixed(0)} ms`, "–"],
    ["offer → first audio, the first of a process", `${first.firstAudio.toFixed(0)} ms`, "–"],
  ]);
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
}

/** The delay of a packet through the runner and the example bot over the loopback, and the effect of a bad network. */
export async function measureWebRTCEcho({ seconds }: WebRTCBench): Promise<string> {
  const network = { lossPercent: 5, jitterMs: 30 };
  const good = await measureDelays(seconds);
  const bad = await measureDelays(seconds, network);
  const percent = (ms: number) => (100 * ms) / (bad.packets.frames * 20);
  const p50 = percentile(good.delaysMs, 0.5);
  // The delay that the runner adds, without that of the packets themselves.
  const addedMs = percentile(bad.delaysMs, 0.5) - p50 - network.jitterMs / 2;
  return markdownTable([
    heading,
    [
      "packet in → packet out, p50 / p99",
      `${p50.toFixed(0)} / ${percentile(good.delaysMs, 0.99).toFixed(0)} ms`,
      "80 ms",
    ],
    [
      `${bad.lostPercent.toFixed(1)} % loss, 30 ms of jitter: frames concealed, frames restored from in-band FEC`,
      `${percent(bad.packets.concealedMs).toFixed(1)} %, ${percent(bad.packets.recoveredMs).toFixed(1)} %`,
      `≤ ${(bad.lostPercent + 1).toFixed(1)} % concealed`,
    ],
    ["delay added by the jitter buffer", `${addedMs.toFixed(0)} ms`, "–"],
  ]);
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
export async function measureWebRTCSessions({ seconds, sessions }: WebRTCBench): Promise<string> {
  const rows = [
    [
      "WebRTC echo sessions",
      "CPU, of a core",
      "per session",
      "floor, per session",
      "pacer lag p50 / p99",
      "RSS",
      "per session",
      "packets back",
    ],
  ];
  for (const count of sessions) {
    const floor = await measureFloor(count, seconds);
    rows.push(costRow(await measureRunner(count, seconds), floor));
  }
  rows.push(["target", "–", "2 %", "–", "p99: 5 ms at 10, 10 ms at 30", "–", "–", "–"]);
  return markdownTable(rows);
}

/** Where the time of the largest number of sessions goes. */
export async function measureWebRTCProfile({ seconds, sessions }: WebRTCBench): Promise<string> {
  const count = sessions.at(-1) ?? 1;
  const { shares = {}, usage } = await measureRunner(count, Math.min(seconds, 20), true);
  const perSessionPercent = usage.cpuPercent / count;
  const rows = Object.entries(shares).map(([part, share]) => [
    part,
    `${share.toFixed(0)} %`,
    `${((share * perSessionPercent) / 100).toFixed(2)} %`,
  ]);
  return markdownTable([[`Busy time of ${count} sessions`, "share", "of a core, per session"], ...rows]);
}

/** Until code is compiled, and callers have reported ten times that they lose no packets. */
const settleMs = 15_000;

/** The cost of one number of echo sessions. */
interface Cost {
  readonly count: number;
  readonly usage: Usage & { readonly lag?: PacerLag };
  /** Resident memory before the first call, in MB. */
  readonly emptyMb: number;
  /** Returned packets, in percent of those sent. */
  readonly returnedPercent: number;
}

async function measureFloor(count: number, seconds: number): Promise<Cost> {
  const server = await startChild("./webrtc/floor.ts", serverCore);
  const callers = await startChild("./webrtc/floor.ts", callerCore);
  try {
    const { rssMb } = await server.ask<Usage>({ ask: "usage" });
    const { ports } = await server.ask<{ ports: number[] }>({ ask: "open", count });
    await callers.ask({ ask: "connect", ports });
    return { count, emptyMb: rssMb, ...(await measureCost(server, callers, count, seconds)) };
  } finally {
    await Promise.all([server.stop(), callers.stop()]);
  }
}

/** With `profiled`, also where the time goes, measured for the same duration afterwards. */
async function measureRunner(
  count: number,
  seconds: number,
  profiled = false,
): Promise<Cost & { readonly shares?: TimeShares }> {
  const server = await startChild("./webrtc/runner-server.ts", serverCore);
  const callers = await startChild("./webrtc/callers.ts", callerCore);
  try {
    const { rssMb } = await server.ask<Usage>({ ask: "usage" });
    const { url } = await server.ask<{ url: string }>({ ask: "url" });
    await callers.ask({ ask: "connect", url, count });
    const cost = { count, emptyMb: rssMb, ...(await measureCost(server, callers, count, seconds)) };
    if (!profiled) return cost;
    await server.ask({ ask: "start profile" });
    await pause(seconds * 1000);
    return { ...cost, shares: await server.ask<TimeShares>({ ask: "stop profile" }) };
  } finally {
    await callers.ask({ ask: "disconnect" });
    await Promise.all([server.stop(), callers.stop()]);
  }
}

async function measureCost(
  server: Child,
  callers: Child,
  count: number,
  seconds: number,
): Promise<Pick<Cost, "usage" | "returnedPercent">> {
  await pause(settleMs);
  await server.ask({ ask: "usage" });
  await callers.ask({ ask: "count" });
  await pause(seconds * 1000);
  const usage = await server.ask<Cost["usage"]>({ ask: "usage" });
  const { received } = await callers.ask<{ received: number }>({ ask: "count" });
  return { usage, returnedPercent: (100 * received) / (count * seconds * 50) };
}

function costRow({ count, usage, emptyMb, returnedPercent }: Cost, floor: Cost): string[] {
  const { p50Ms = Number.NaN, p99Ms = Number.NaN } = usage.lag ?? {};
  return [
    String(count),
    `${usage.cpuPercent.toFixed(1)} %`,
    `${(usage.cpuPercent / count).toFixed(2)} %`,
    `${(floor.usage.cpuPercent / count).toFixed(2)} %`,
    `${p50Ms.toFixed(1)} / ${p99Ms.toFixed(1)} ms`,
    `${usage.rssMb.toFixed(0)} MB`,
    `${((usage.rssMb - emptyMb) / count).toFixed(1)} MB`,
    `${returnedPercent.toFixed(1)} %`,
  ];
}
