import { setTimeout as sleep } from "node:timers/promises";
import { resourceGrowth, until } from "@pipecat-ts/runner-testing";
import { expect, type TestContext } from "vitest";
import { median } from "../../bench/figures.ts";
import type { Holdings } from "./messages.ts";
import type { LogLine, Server } from "./server.ts";

/** How long the server may take to release what it no longer needs. */
const releaseTimeoutMs = 5_000;

/**
 * Heap bytes that a session may leave behind: Node still optimizes code that ran a few dozen times. After two thousand
 * sessions it is 50 bytes.
 */
const leftBytes = 5_000;

/** Waits until the server holds no more than before, and returns what it then holds. Fails after 5 s. */
export async function expectNoGrowth(server: Server, before: Holdings): Promise<Holdings> {
  const deadline = performance.now() + releaseTimeoutMs;
  for (;;) {
    const now = await server.ask("holdings");
    const grown = growthOf(before, now);
    if (grown.length === 0) return now;
    if (performance.now() > deadline) expect(grown, "what the server holds more than before").toEqual([]);
    await sleep(50);
  }
}

/** What grew, in words. Ignores memory. */
export function growthOf(before: Holdings, now: Holdings): string[] {
  const listeners = Object.entries(now.serverListeners).filter(([on, count]) => count !== before.serverListeners[on]);
  return [
    ...resourceGrowth(before, now),
    ...listeners.map(([on, count]) => `${on}: ${before.serverListeners[on]} → ${count}`),
    ...(now.codecs > before.codecs ? [`Opus encoders and decoders: ${before.codecs} → ${now.codecs}`] : []),
    ...(now.retained > 0 ? [`ended sessions that cannot be collected: ${now.retained}`] : []),
  ];
}

/** Many sessions, some of them at a time. */
export interface Series {
  readonly count: number;
  readonly atATime: number;
  /** Starts one session and waits for its end. */
  session(index: number): Promise<unknown>;
  /** Ends the sessions that `session` left open. Called four times. */
  end?(): Promise<unknown>;
}

/**
 * Fails unless the server holds as much after the sessions as before them. The first quarter compiles the server's code
 * and fills its caches. Memory is the median of the other quarters, because V8 may optimize code during one of them.
 */
export async function expectNothingLeft(context: TestContext, server: Server, series: Series): Promise<void> {
  const before = await server.ask("holdings");
  const quarter = series.count / 4;
  let last = await measureAfter(0);
  const left: { readonly heap: number; readonly live: number }[] = [];
  for (let part = 1; part < 4; part++) {
    const now = await measureAfter(part);
    left.push({
      heap: Math.round((now.heapBytes - last.heapBytes) / quarter),
      live: Math.round((now.liveBytes - last.liveBytes) / quarter),
    });
    last = now;
  }
  const [heap, live] = [median(left.map((each) => each.heap)), median(left.map((each) => each.live))];
  await context.annotate(
    `each session leaves ${heap} bytes on the heap, ${live} with buffers: ${JSON.stringify(left)}`,
  );
  expect(heap, "heap bytes per session").toBeLessThan(leftBytes);
  expect(live, "heap and buffer bytes per session").toBeLessThan(leftBytes);

  async function measureAfter(part: number): Promise<Holdings> {
    await run(series, part * quarter, (part + 1) * quarter);
    await series.end?.();
    return await expectNoGrowth(server, before);
  }
}

async function run({ atATime, session }: Series, from: number, to: number): Promise<void> {
  let next = from;
  const one = async () => {
    while (next < to) await session(next++);
  };
  await Promise.all(Array.from({ length: atATime }, one));
}

/** Fails unless the log has one line for each ended session, with these reasons, each this many times. */
export async function expectEndings(server: Server, expected: Readonly<Record<string, number>>): Promise<void> {
  const total = Object.values(expected).reduce((sum, count) => sum + count, 0);
  await until(`${total} sessions have ended`, () => server.log.filter(isEnding).length >= total, 5_000);
  const lines = server.log.filter(isEnding);
  expect(new Set(lines.map(({ session }) => session)).size).toBe(lines.length);
  const reasons = Object.groupBy(lines, ({ reason }) => reason ?? "");
  expect(Object.fromEntries(Object.entries(reasons).map(([reason, of]) => [reason, of?.length]))).toEqual(expected);
}

/** The reasons of the sessions that ended, in order. */
export function endingReasons(server: Server): readonly string[] {
  return server.log.filter(isEnding).map(({ reason = "" }) => reason);
}

/** Whether the line reports the end of a session. */
export function isEnding({ msg }: LogLine): boolean {
  return msg.startsWith("session ended");
}
