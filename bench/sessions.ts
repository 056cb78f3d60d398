import { type Child, startChild } from "./children.ts";
import { table } from "./figures.ts";
import type { Usage } from "./servers/usage.ts";

interface Lateness {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const serverCore = 0;
const callerCore = 1;
const settleMs = 5000;

interface Server {
  readonly module: string;
  /** Bytes of PCM16 that it sends for a millisecond of audio. */
  readonly bytesPerMs: number;
}

const bareServer: Server = { module: "./servers/bare.ts", bytesPerMs: 32 }; // 16,000 Hz, as it came
const runnerServer: Server = { module: "./servers/runner.ts", bytesPerMs: 48 }; // 24,000 Hz, as the clients play it

/**
 * What echo sessions cost: callers in one process speak to the runner in another, then the same number to a bare `ws`
 * echo of the same frames. Each server has one core to itself, the callers the other.
 */
export async function measureSessions(counts: readonly number[], seconds: number): Promise<string> {
  const rows = [
    ["sessions", "server", "CPU % of a core", "per session %", "frames back", "pacer late p50/p99 ms", "RSS MB"],
  ];
  for (const count of counts) {
    const bare = await measure(bareServer, count, seconds);
    const runner = await measure(runnerServer, count, seconds);
    rows.push(row(count, "bare ws echo", bare), row(count, "runner", runner));
    rows.push(["", "ratio", `${(runner.usage.cpuPercent / bare.usage.cpuPercent).toFixed(1)} ×`]);
  }
  return table(rows);
}

/** What one number of sessions cost. */
export interface Measurement {
  readonly usage: Usage;
  readonly lateness: Lateness | undefined;
  /** Share of the audio sent that came back, in percent. */
  readonly returnedPercent: number;
  /** The server's resident memory before the first session, in MB. */
  readonly idleRssMb: number;
}

/** What is measured: which server, called by whom. */
export interface EchoMeasurement {
  startServer(core: number): Promise<Child>;
  /** The callers' module. */
  readonly callers: string;
  /** What the callers are told beside the URLs. */
  readonly connect?: object;
  /** What the server is asked for its URL. */
  readonly question: object;
  readonly count: number;
  readonly seconds: number;
}

/** Has `count` callers speak to an echo for some seconds. */
export async function measureEcho(measurement: EchoMeasurement): Promise<Measurement> {
  const { callers, connect = {}, question, count, seconds } = measurement;
  const serving = await measurement.startServer(serverCore);
  const calling = await startChild(callers, callerCore);
  try {
    const { url } = await serving.ask<{ url: string }>(question);
    const { rssMb: idleRssMb } = await serving.ask<Usage>({ ask: "usage" });
    await calling.ask({ ask: "connect", ...connect, urls: Array.from({ length: count }, () => url) });
    await pause(settleMs); // the chime, and code that is still being compiled
    await serving.ask({ ask: "usage" });
    await calling.ask({ ask: "count" });
    await pause(seconds * 1000);
    const usage = await serving.ask<Usage & { lateness?: Lateness }>({ ask: "usage" });
    const { receivedMs } = await calling.ask<{ receivedMs: number }>({ ask: "count" });
    await calling.ask({ ask: "disconnect" });
    return { usage, lateness: usage.lateness, returnedPercent: receivedMs / (count * seconds * 10), idleRssMb };
  } finally {
    await Promise.all([serving.stop(), calling.stop()]);
  }
}

function measure({ module, bytesPerMs }: Server, count: number, seconds: number): Promise<Measurement> {
  return measureEcho({
    startServer: (core) => startChild(module, core),
    callers: "./callers.ts",
    connect: { bytesPerMs },
    question: { ask: "url" },
    count,
    seconds,
  });
}

function row(count: number, server: string, { usage, lateness, returnedPercent }: Measurement): string[] {
  return [
    String(count),
    server,
    usage.cpuPercent.toFixed(1),
    (usage.cpuPercent / count).toFixed(2),
    `${returnedPercent.toFixed(1)} %`,
    lateness ? `${lateness.p50Ms.toFixed(1)} / ${lateness.p99Ms.toFixed(1)}` : "–",
    usage.rssMb.toFixed(0),
  ];
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
