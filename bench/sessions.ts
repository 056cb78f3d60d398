import { setTimeout as pause } from "node:timers/promises";
import { startChild } from "./children.ts";
import { table } from "./figures.ts";
import type { PacerLag, Usage } from "./usage.ts";

const serverCore = 0;
const callerCore = 1;
/** Until the code of the echo is compiled. */
const settleMs = 5000;

interface Server {
  readonly module: string;
  /** Bytes of PCM16 per ms of audio that it sends. */
  readonly bytesPerMs: number;
}

const bareServer: Server = { module: "./servers/bare.ts", bytesPerMs: 32 }; // 16,000 Hz, unchanged
const runnerServer: Server = { module: "./servers/websocket.ts", bytesPerMs: 48 }; // 24,000 Hz, for Pipecat's clients

/**
 * The cost of WebSocket echo sessions, beside the same number of sessions of a bare `ws` echo with the same frames. Each server
 * has one core, and the callers have the other.
 */
export async function measureSessions(counts: readonly number[], seconds: number): Promise<string> {
  const rows = [
    ["sessions", "server", "CPU % of a core", "per session %", "frames back", "pacer lag p50/p99 ms", "RSS MB"],
  ];
  for (const count of counts) {
    const bare = await measureWebSocket(bareServer, count, seconds);
    const runner = await measureWebSocket(runnerServer, count, seconds);
    rows.push(sessionRow(count, "bare ws echo", bare), sessionRow(count, "runner", runner));
    rows.push(["", "ratio", `${(runner.usage.cpuPercent / bare.usage.cpuPercent).toFixed(1)} ×`]);
  }
  return table(rows);
}

function measureWebSocket({ module, bytesPerMs }: Server, count: number, seconds: number): Promise<Measurement> {
  return measureEcho({
    server: module,
    callers: "./websocket-callers.ts",
    connect: { bytesPerMs },
    question: { ask: "url" },
    count,
    seconds,
  });
}

function sessionRow(count: number, server: string, { usage, lag, returnedPercent }: Measurement): string[] {
  return [
    String(count),
    server,
    usage.cpuPercent.toFixed(1),
    (usage.cpuPercent / count).toFixed(2),
    `${returnedPercent.toFixed(1)} %`,
    lag ? `${lag.p50Ms.toFixed(1)} / ${lag.p99Ms.toFixed(1)}` : "–",
    usage.rssMb.toFixed(0),
  ];
}

/**
 * The cost of phone calls: echoed mu-law at 16,000 Hz (resampled twice) and at 8,000 Hz (unchanged), beside a bare `ws` echo of
 * the same frames.
 */
export async function measureCalls(counts: readonly number[], seconds: number): Promise<string> {
  const rows = [["calls", "server", "CPU % of a core", "times bare", "audio back", "late p50/p99 ms", "MB a call"]];
  for (const count of counts) {
    const bare = await measurePhone("./servers/bare.ts", count, seconds);
    rows.push(callRow(count, "bare ws echo", bare, bare));
    for (const rate of [16_000, 8_000]) {
      const runner = await measurePhone("./servers/phone.ts", count, seconds, rate);
      rows.push(callRow(count, `runner, ${rate} Hz`, runner, bare));
    }
  }
  return table(rows);
}

async function measurePhone(
  server: string,
  count: number,
  seconds: number,
  audioInSampleRate?: number,
): Promise<Measurement> {
  const question = { ask: "url", audioInSampleRate };
  return await measureEcho({ server, callers: "./phone-callers.ts", question, count, seconds });
}

function callRow(count: number, server: string, measured: Measurement, bare: Measurement): string[] {
  const { usage, lag, returnedPercent, idleRssMb } = measured;
  return [
    String(count),
    server,
    usage.cpuPercent.toFixed(1),
    `${(usage.cpuPercent / bare.usage.cpuPercent).toFixed(2)} ×`,
    `${returnedPercent.toFixed(1)} %`,
    lag ? `${lag.p50Ms.toFixed(1)} / ${lag.p99Ms.toFixed(1)}` : "–",
    ((usage.rssMb - idleRssMb) / count).toFixed(2),
  ];
}

/** The cost of one number of sessions. */
interface Measurement {
  readonly usage: Usage;
  readonly lag: PacerLag | undefined;
  /** Share of the sent audio that came back, in percent. */
  readonly returnedPercent: number;
  /** The server's resident memory before the first session, in MB. */
  readonly idleRssMb: number;
}

interface EchoMeasurement {
  /** The modules of the child processes. */
  readonly server: string;
  readonly callers: string;
  /** Fields for the callers, beside the URLs. */
  readonly connect?: object;
  /** The question for the server's URL. */
  readonly question: object;
  readonly count: number;
  readonly seconds: number;
}

/** `count` callers speak to an echo for some seconds. */
async function measureEcho(measurement: EchoMeasurement): Promise<Measurement> {
  const { connect = {}, question, count, seconds } = measurement;
  const server = await startChild(measurement.server, serverCore);
  const callers = await startChild(measurement.callers, callerCore);
  try {
    const { url } = await server.ask<{ url: string }>(question);
    const { rssMb: idleRssMb } = await server.ask<Usage>({ ask: "usage" });
    await callers.ask({ ask: "connect", ...connect, urls: Array.from({ length: count }, () => url) });
    await pause(settleMs);
    await server.ask({ ask: "usage" });
    await callers.ask({ ask: "count" });
    await pause(seconds * 1000);
    const usage = await server.ask<Usage & { lag?: PacerLag }>({ ask: "usage" });
    const { receivedMs } = await callers.ask<{ receivedMs: number }>({ ask: "count" });
    await callers.ask({ ask: "disconnect" });
    return { usage, lag: usage.lag, returnedPercent: receivedMs / (count * seconds * 10), idleRssMb };
  } finally {
    await Promise.all([server.stop(), callers.stop()]);
  }
}
