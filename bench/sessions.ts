import { setTimeout as pause } from "node:timers/promises";
import { startChild } from "./children.ts";
import { type Cost, costFigures } from "./cost.ts";
import type { Figure } from "./figures.ts";
import type { Usage } from "./usage.ts";

const serverCore = 0;
const callerCore = 1;
/** Until the code of the echo is compiled. */
const settleMs = 5000;

/** The options of the measurements below. */
export interface SessionsBench {
  readonly counts: readonly number[];
  readonly seconds: number;
  /** Whether Pipecat's own runner is measured too. */
  readonly python: boolean;
}

/** A server with an echo, and how callers reach it. */
interface Echo {
  /** The modules of the child processes. */
  readonly server: string;
  readonly callers: string;
  /** Fields of the question for the server's URL. */
  readonly question?: object;
  /** Which URL of the answer the callers use. Default `url`. */
  readonly url?: "phoneUrl";
  /** Fields for the callers, beside the URLs. */
  readonly connect?: object;
}

const clients = "./websocket-callers.ts";
const phones = "./phone-callers.ts";
/** Pipecat's clients receive 24,000 Hz: 48 bytes per ms. The bare server returns the 16,000 Hz that it gets. */
const websocket: Echo = { server: "./servers/websocket.ts", callers: clients, connect: { bytesPerMs: 48 } };
const bareWebSocket: Echo = { server: "./servers/bare.ts", callers: clients, connect: { bytesPerMs: 32 } };
const pythonWebSocket: Echo = { ...websocket, server: "./servers/python.ts" };
const barePhone: Echo = { server: "./servers/bare.ts", callers: phones };
const pythonPhone: Echo = { server: "./servers/python.ts", callers: phones, url: "phoneUrl" };
const phoneAt = (audioInSampleRate: number): Echo => ({
  server: "./servers/phone.ts",
  callers: phones,
  question: { audioInSampleRate },
});

/** The cost of WebSocket echo sessions, beside a bare `ws` echo of the same frames. */
export async function measureSessions({ counts, seconds, python }: SessionsBench): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const count of counts) {
    const floor = await measureEcho(bareWebSocket, count, seconds);
    const other = python ? await measureEcho(pythonWebSocket, count, seconds) : undefined;
    const measured = await measureEcho(websocket, count, seconds);
    figures.push(...costFigures(`${count} WebSocket`, measured, floor, other));
  }
  return figures;
}

/**
 * The cost of phone calls: echoed mu-law at 16,000 Hz (resampled twice) and at 8,000 Hz (unchanged), beside a bare `ws` echo of
 * the same frames.
 */
export async function measureCalls({ counts, seconds, python }: SessionsBench): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const count of counts) {
    const floor = await measureEcho(barePhone, count, seconds);
    const other = python ? await measureEcho(pythonPhone, count, seconds) : undefined;
    for (const rate of [16_000, 8_000]) {
      const measured = await measureEcho(phoneAt(rate), count, seconds);
      figures.push(...costFigures(`${count} Twilio, ${rate} Hz`, measured, floor, other));
    }
  }
  return figures;
}

/** The stable part, for comparisons between versions: CPU time does not depend on how often the server waits. */
export async function measureFrames(seconds: number): Promise<Figure[]> {
  const count = 20;
  const wires = { WebSocket: websocket, "Twilio, 16,000 Hz": phoneAt(16_000), "Twilio, 8,000 Hz": phoneAt(8_000) };
  const figures: Figure[] = [];
  for (const [name, echo] of Object.entries(wires)) {
    const { usage } = await measureEcho(echo, count, seconds);
    const cpuMs = usage.cpuPercent * seconds * 10;
    const frames = count * seconds * 50;
    figures.push({ name: `${name}: CPU time of 1,000 frames`, value: (1_000 * cpuMs) / frames, unit: "ms" });
  }
  return figures;
}

/** `count` callers speak to an echo for some seconds. */
async function measureEcho(echo: Echo, count: number, seconds: number): Promise<Cost> {
  const { connect = {}, question = {}, url = "url" } = echo;
  const server = await startChild(echo.server, serverCore);
  const callers = await startChild(echo.callers, callerCore);
  try {
    const answer = await server.ask<{ url: string; phoneUrl: string }>({ ask: "url", ...question });
    const { rssMb: idleRssMb } = await server.ask<Usage>({ ask: "usage" });
    await callers.ask({ ask: "connect", ...connect, urls: Array.from({ length: count }, () => answer[url]) });
    await pause(settleMs);
    await server.ask({ ask: "usage" });
    await callers.ask({ ask: "count" });
    await pause(seconds * 1000);
    const usage = await server.ask<Cost["usage"]>({ ask: "usage" });
    const { receivedMs } = await callers.ask<{ receivedMs: number }>({ ask: "count" });
    return { count, usage, returnedPercent: receivedMs / (count * seconds * 10), idleRssMb };
  } finally {
    await server.stop();
    await callers.stop();
  }
}
