import { setTimeout as sleep } from "node:timers/promises";
import { resourceGrowth } from "@pipecat-ts/runner-testing";
import { expect } from "vitest";
import type { Holdings } from "./questions.ts";
import type { Server } from "./server-process.ts";

/** How long the server may take to let go of what it no longer needs. */
const patienceMs = 5_000;

/** Waits until the server holds no more than before, and returns what it holds then. Fails when it never does. */
export async function expectNoGrowth(server: Server, before: Holdings): Promise<Holdings> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const now = await server.ask("holdings");
    const grown = growthOf(before, now);
    if (grown.length === 0) return now;
    if (performance.now() > deadline) expect(grown, "what the server holds more than before").toEqual([]);
    await sleep(50);
  }
}

/** What is more than it was, in words. Memory is for whoever asks to judge. */
export function growthOf(before: Holdings, now: Holdings): string[] {
  const listeners = Object.entries(now.serverListeners).filter(([on, count]) => count !== before.serverListeners[on]);
  return [
    ...resourceGrowth(before, now),
    ...listeners.map(([on, count]) => `${on}: ${before.serverListeners[on]} → ${count}`),
    ...(now.codecs > before.codecs ? [`Opus encoders and decoders: ${before.codecs} → ${now.codecs}`] : []),
    ...(now.retained > 0 ? [`ended sessions that cannot be collected: ${now.retained}`] : []),
  ];
}
