import { echo } from "../bots.ts";
import type { Requirement } from "../requirement.ts";
import { countSettledResources, settleResources } from "../resources.ts";
import { tone } from "../signal.ts";
import { say } from "../speech.ts";
import type { Stage } from "../stage.ts";
import { watchTimers } from "../timers.ts";
import { expect } from "../unmet.ts";
import { allEnded, expectTurnedAway } from "./outcome.ts";

/** What is left when it is over: nothing. */
export const leavingOpen: readonly Requirement[] = [
  {
    id: "OPEN-1",
    title: "Calls leave nothing open, however they began and ended",
    reason: "A server that keeps a socket or a timer of each call stops after some thousands of them.",
    alone: true,
    async check(stage) {
      const bot = { fails: false };
      const runner = await stage.open(async (args) => {
        if (bot.fails) throw new Error("this bot fails on purpose");
        await echo(args);
      });
      const round = async () => {
        const polite = await stage.call(runner);
        await stage.until("the call is live", () => runner.sessions.counts.active === 1);
        await say(polite, tone(440, { durationMs: 20, sampleRate: polite.sampleRate }));
        await stage.within("the caller hangs up", polite.hangUp());
        await allEnded(stage, runner);
        const abrupt = await stage.call(runner);
        await stage.until("the call is live", () => runner.sessions.counts.active === 1);
        abrupt.drop();
        await allEnded(stage, runner);
        bot.fails = true;
        await expectTurnedAway(stage, stage.call(runner));
        bot.fails = false;
        await allEnded(stage, runner);
      };
      await round();
      await expectNothingLeft(stage, async () => {
        await round();
        await round();
      });
    },
  },
  {
    id: "OPEN-2",
    title: "A closed runner leaves nothing open",
    reason: "The process does not end by itself, and tests hang.",
    alone: true,
    async check(stage) {
      await stage.within("the runner closes", (await stage.open(echo)).close(), 2_000);
      await expectNothingLeft(stage, async () => {
        const runner = await stage.open(echo);
        const caller = await stage.call(runner);
        await stage.until("the call is live", () => runner.sessions.counts.active === 1);
        await stage.within("the runner closes", runner.close(), 2_000);
        await stage.within("the caller is hung up on", caller.closed);
        caller.drop();
      });
    },
  },
];

/** Throws Unmet when `work` leaves more open than there was before it. */
async function expectNothingLeft(stage: Stage, work: () => Promise<void>): Promise<void> {
  const before = await countSettledResources();
  const timers = watchTimers();
  try {
    await work();
    const left = await settleResources(before, stage.patienceMs);
    expect(left.length === 0, `there are left open ${left.join(", ")}`);
    const running = await timers.count();
    expect(running === 0, `${running} timers are still running that keep no process alive`);
  } finally {
    timers.stop();
  }
}
