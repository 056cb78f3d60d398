import { once } from "node:events";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import type { RunnerArguments } from "@pipecat-ts/runner-core";
import { expect, test, vi } from "vitest";
import { createEngineFixture, neverConnected } from "./test/fixture.ts";
import { blockedMs } from "./watchdog.ts";

/** A tick may be due up to 20 ms after the block began, and the lag of the pacer counts from then. */
const holdMs = blockedMs + 40;

function hold(ms = holdMs): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

/** An engine with active sessions whose bots get their number and do as `bot` says, and the blocks that were reported. */
function setUp({ sessions = 1, bot }: { sessions?: number; bot?: (args: RunnerArguments) => unknown } = {}) {
  const blocks: number[] = [];
  const { engine, create, log } = createEngineFixture({
    onBlocked: (durationMs) => blocks.push(durationMs),
    async bot(args) {
      await bot?.(args);
      if (!args.signal.aborted) await once(args.signal, "abort");
    },
  });
  const all = Array.from({ length: sessions }, (_, number) => {
    const session = create(number);
    session.run({}, neverConnected);
    return session;
  });
  /** The sessions of the warnings; undefined for unknown code. */
  const warned = () =>
    log.lines.filter(({ message }) => message === "event loop blocked").map(({ fields }) => fields.session);
  return { engine, all, blocks, warned };
}

/** Starts a media timer in the scope of each session. */
function tick({ engine, all }: ReturnType<typeof setUp>, run: (number: number) => void): () => void {
  const stops = all.map((session, number) => session.inScope(() => engine.pacer.every(20, () => run(number))));
  return () => {
    for (const stop of stops) stop();
  };
}

test.each<[string, (args: RunnerArguments) => unknown]>([
  ["its bot, when it starts", () => hold()],
  ["a continuation of its bot", async () => hold(await Promise.resolve(holdMs))],
  [
    "a chain of short continuations",
    async () => {
      const endMs = performance.now() + holdMs;
      while (performance.now() < endMs) await null;
    },
  ],
])("a session that holds the event loop is named: %s", async (_, bot) => {
  const { engine, all, blocks, warned } = setUp({ bot });
  await expect.poll(() => blocks).toHaveLength(1);
  expect(blocks[0]).toBeGreaterThanOrEqual(holdMs);
  expect(warned()).toEqual([all[0]?.id]);
  await engine.endAll("ended-by-request");
});

test("a session is named for its messages and ticks, among other sessions, and not for other code", async () => {
  const fixture = setUp({ sessions: 3 });
  const { engine, all, blocks, warned } = fixture;
  await turn();
  let holds = true;
  const stop = tick(fixture, (number) => {
    if (number === 1 && holds) hold();
    if (number === 1) holds = false;
  });
  await expect.poll(() => blocks).toHaveLength(1);
  expect(warned()).toEqual([all[1]?.id]);
  stop();
  all[2]?.inScope(() => hold());
  await turn();
  all[0]?.inScope(() => undefined);
  await turn();
  hold();
  await turn();
  expect(warned()).toEqual([all[1]?.id, all[2]?.id]);
  await engine.endAll("ended-by-request");
});

test("a continuation that follows ticks of two sessions is never attributed to the wrong one", async () => {
  const fixture = setUp({ sessions: 2 });
  await turn();
  let left = 2;
  const stop = tick(fixture, (number) => {
    if (number === 0 && left-- > 0) void Promise.resolve().then(() => hold());
  });
  await expect.poll(() => fixture.blocks).toHaveLength(2);
  expect(fixture.warned()).not.toContain(fixture.all[1]?.id);
  expect(fixture.warned()).toContain(fixture.all[0]?.id);
  stop();
  await fixture.engine.endAll("ended-by-request");
});

test("blocks of one session are all counted, and logged once in 10 s", async () => {
  const { engine, all, blocks, warned } = setUp();
  await turn();
  for (let count = 0; count < 3; count++) {
    all[0]?.inScope(() => hold());
    await turn();
  }
  expect(blocks).toHaveLength(3);
  expect(warned()).toEqual([all[0]?.id]);
  await engine.endAll("ended-by-request");
});

test.each([
  ["with it if it happens again", 0, true],
  ["without it after 60 s", 61_000, false],
])("a block by a timer of a bot is logged without a session, and %s", async (_, laterMs, isNamed) => {
  const later = Promise.withResolvers<void>();
  const fixture = setUp({
    sessions: 2,
    async bot({ body }) {
      if (body !== 1) return;
      await sleep(50);
      hold();
      await later.promise;
      await sleep(50);
      hold();
    },
  });
  const { engine, all, blocks, warned } = fixture;
  const stop = tick(fixture, () => undefined);
  await expect.poll(() => blocks).toHaveLength(1);
  expect(warned()).toEqual([undefined]);
  const now = performance.now.bind(performance);
  vi.spyOn(performance, "now").mockImplementation(() => now() + laterMs);
  // The pacer reports the time that was skipped as a block.
  await sleep(50);
  blocks.length = 0;
  later.resolve();
  await expect.poll(() => blocks).toHaveLength(1);
  expect(warned().includes(all[1]?.id)).toBe(isNamed);
  stop();
  vi.restoreAllMocks();
  await engine.endAll("ended-by-request");
});

test("a session that waits holds nothing", async () => {
  const fixture = setUp({ bot: () => sleep(2 * blockedMs) });
  const { engine, all, blocks } = fixture;
  await all[0]?.inScope(() => sleep(2 * blockedMs));
  expect(blocks).toEqual([]);
  await engine.endAll("ended-by-request");
});

test("a tick that fails asynchronously still fails its session", async () => {
  const fixture = setUp();
  const [session] = fixture.all;
  session?.inScope(() => fixture.engine.pacer.every(20, () => Promise.reject(new Error("late")) as never));
  expect(await session?.ended).toBe("transport-failed");
});
