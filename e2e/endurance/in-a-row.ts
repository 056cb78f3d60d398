import { expect, type TestContext } from "vitest";
import { expectNoGrowth } from "../server/growth.ts";
import type { Holdings } from "../server/questions.ts";
import type { Server } from "../server/server-process.ts";

/**
 * What a session may leave on the heap, in bytes: what Node still learns about code that it has run a few dozen times. It
 * is 50 bytes after two thousand sessions.
 */
const leftBytes = 5_000;

/** Many sessions, one after the other, by some callers at a time. */
export interface Row {
  readonly count: number;
  readonly atATime: number;
  /** Has one session begin and end. */
  session(index: number): Promise<unknown>;
  /** Ends those that do not end by themselves; called twice. */
  end?(): Promise<unknown>;
}

/** Fails unless the server holds as much after the sessions as before them. */
export async function expectNothingLeft(context: TestContext, server: Server, row: Row): Promise<void> {
  const before = await server.ask("holdings");
  const warm = await takeStockAfter(0, row.count / 4);
  const after = await takeStockAfter(row.count / 4, row.count);
  const [heap, live] = [
    perSession(after.heapBytes - warm.heapBytes),
    perSession(after.liveBytes - warm.liveBytes),
  ] as const;
  await context.annotate(`left by each session: ${heap} bytes on the heap, ${live} with buffers`);
  expect(heap, "bytes of heap per session").toBeLessThan(leftBytes);
  expect(live, "bytes of heap and buffers per session").toBeLessThan(leftBytes);

  async function takeStockAfter(from: number, to: number): Promise<Holdings> {
    await run(row, from, to);
    await row.end?.();
    return await expectNoGrowth(server, before);
  }

  function perSession(bytes: number): number {
    return Math.round(bytes / (row.count * 0.75));
  }
}

async function run({ atATime, session }: Row, from: number, to: number): Promise<void> {
  let next = from;
  const one = async () => {
    while (next < to) await session(next++);
  };
  await Promise.all(Array.from({ length: atATime }, one));
}
