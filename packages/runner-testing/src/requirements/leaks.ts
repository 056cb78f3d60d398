import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { tone } from "@pipecat-ts/audio";
import { speak } from "@pipecat-ts/runner-core/caller";
import { expect } from "../assertions.ts";
import { echo } from "../bots.ts";
import { allEnded, expectRefused, type Fixture, type Requirement } from "../fixture.ts";
import { countSettledResources, settleResources, watchTimers } from "../resources.ts";

/** What calls and runners leave behind: nothing. */
export const leaks: readonly Requirement[] = [
  {
    id: "OPEN-1",
    title: "Calls leave nothing open, however they begin and end",
    reason: "A server that keeps one socket or timer per call stops after some thousands of calls.",
    turn: "last",
    async check(fixture) {
      const runner = await fixture.open(echo);
      const failing = await fixture.open(() => {
        throw new Error("this bot fails on purpose");
      });
      const round = async () => {
        const refused = expectRefused(fixture, fixture.call(failing));
        refused.catch(() => undefined); // awaited below
        const [abrupt, polite] = [await fixture.call(runner), await fixture.call(runner)];
        await fixture.until("both calls are live", () => runner.sessions.counts.active === 2);
        abrupt.drop();
        await speak(polite, tone(440, { durationMs: 20, sampleRate: polite.sampleRate }));
        await fixture.within("the caller hangs up", polite.hangUp());
        await refused;
        await allEnded(fixture, runner);
        await allEnded(fixture, failing);
      };
      await round();
      await expectNothingLeft(fixture, round);
    },
  },
  {
    id: "OPEN-2",
    title: "A closed runner leaves nothing open",
    reason: "Otherwise the process does not exit by itself, and tests hang.",
    turn: "last",
    async check(fixture) {
      await fixture.within("the runner closes", (await fixture.open(echo)).close(), 2_000);
      await expectNothingLeft(fixture, async () => {
        const runner = await fixture.open(echo);
        const caller = await fixture.call(runner);
        await fixture.until("the call is live", () => runner.sessions.counts.active === 1);
        await fixture.within("the runner closes", runner.close(), 2_000);
        await fixture.within("the caller is disconnected", caller.closed);
        caller.drop();
      });
    },
  },
  {
    id: "OPEN-3",
    title: "Ended calls leave less than 500 kB of memory each",
    reason: "A server that keeps audio or buffers of each call runs out of memory after some thousands of calls.",
    turn: "last",
    async check(fixture) {
      const runner = await fixture.open(echo);
      const calls = async (count: number) => {
        await fixture.each(Array.from({ length: count }), async () => {
          const caller = await fixture.call(runner);
          await fixture.until("the call is live", () => runner.sessions.counts.active > 0);
          await fixture.within("the caller hangs up", caller.hangUp());
          fixture.release(caller);
        });
        await allEnded(fixture, runner);
      };
      await calls(4);
      const before = await retainedBytes();
      await calls(8);
      const perCall = Math.round(((await retainedBytes()) - before) / 8);
      expect(perCall < 500_000, `each call left ${perCall} bytes of memory`);
    },
  },
];

/** Throws an AssertionError when `work` leaves more open than before. */
async function expectNothingLeft(fixture: Fixture, work: () => Promise<void>): Promise<void> {
  const before = await countSettledResources();
  const timers = watchTimers();
  try {
    await work();
    const left = await settleResources(before, fixture.timeoutMs);
    expect(left.length === 0, `still open: ${left.join(", ")}`);
    const running = await timers.running();
    expect(running.length === 0, `timers still run: ${running.join(", ")}`);
  } finally {
    timers.stop();
  }
}

/** Bytes of live objects and buffers after a garbage collection. */
async function retainedBytes(): Promise<number> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  // Finalizers run between two collections.
  for (let round = 0; round < 2; round++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
