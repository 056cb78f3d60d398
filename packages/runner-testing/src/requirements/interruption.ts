import { AssertionError } from "node:assert";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { tone } from "@pipecat-ts/audio";
import type { Interruption } from "@pipecat-ts/runner-core";
import type { FakeCaller } from "../adapter.ts";
import { expect } from "../assertions.ts";
import { createScriptedBot } from "../bots.ts";
import { type Fixture, firstCall, type Requirement } from "../fixture.ts";
import { toneMs, write } from "../speech.ts";

const oldHz = 400;
const newHz = 1_000;
const newMs = 240;

/** Barge-in. */
export const interruption: readonly Requirement[] = [
  {
    id: "INTERRUPT-1",
    title: "Audio written before an interruption is not heard after it",
    reason: "A bot that talks over its caller is the oldest complaint about voice bots.",
    async check(fixture) {
      const { caller, atMs, lagMs } = await bargeIn(fixture);
      const after = caller.playout.played().filter((entry) => entry.atMs > atMs);
      const oldMs = toneMs(after, oldHz, newHz);
      const { wireDelayMs = 0 } = fixture.adapter;
      expect(
        oldMs <= 100 + wireDelayMs + lagMs,
        `the caller heard ${oldMs} ms of the old audio after the interruption`,
      );
    },
  },
  {
    id: "INTERRUPT-2",
    title: "Audio written after an interruption is heard completely",
    reason: "Otherwise the bot's answer to the interruption is lost.",
    async check(fixture) {
      const { caller } = await bargeIn(fixture);
      const ms = toneMs(caller.playout.played(), newHz, oldHz);
      expect(Math.abs(ms - newMs) <= 60, `the caller heard ${ms} ms of ${newMs} ms written after the interruption`);
    },
  },
  {
    id: "INTERRUPT-3",
    title: "An interruption reports how much the caller heard and how much was dropped",
    reason: "The bot's transcript must end where the caller stopped listening.",
    async check(fixture) {
      const { cut, heardMs, writtenMs, lagMs } = await bargeIn(fixture);
      const toleranceMs = 200 + 3 * lagMs; // an acknowledgement can be late three times: sent, played, returned
      expect(
        Math.abs(cut.playedMs - heardMs) <= toleranceMs,
        `playedMs is ${cut.playedMs}, but the caller heard ${heardMs} ms`,
      );
      const sumMs = cut.playedMs + cut.droppedMs;
      expect(
        Math.abs(sumMs - writtenMs) <= toleranceMs,
        `playedMs + droppedMs is ${sumMs}, but ${writtenMs} ms were written`,
      );
    },
  },
  {
    id: "INTERRUPT-4",
    title: "An interruption clears the far end's buffer",
    reason: "Carriers play audio that was sent ahead for seconds.",
    exempts: ({ clears }) => (clears ? undefined : "its far end does not buffer"),
    async check(fixture) {
      const { caller, atMs } = await bargeIn(fixture);
      const { clearedAtMs = Number.NEGATIVE_INFINITY } = caller.playout;
      expect(clearedAtMs >= atMs, "the far end got no clear after the interruption");
    },
  },
];

/** A bot speaks 2 s, is interrupted when the caller has heard 200 ms, and speaks again, to the end. */
async function bargeIn(fixture: Fixture): Promise<{
  readonly caller: FakeCaller;
  readonly cut: Interruption;
  /** When it was interrupted, on the scale of `performance.now()`, in ms. */
  readonly atMs: number;
  readonly heardMs: number;
  readonly writtenMs: number;
  /** The longest delay of this process, which the transport does not cause. */
  readonly lagMs: number;
}> {
  const scripted = createScriptedBot();
  const runner = await fixture.open(scripted.bot);
  // From the connection on: a jitter buffer grows with every delay.
  const lag = monitorEventLoopDelay({ resolution: 5 });
  lag.enable();
  const caller = await fixture.call(runner);
  const { transport } = await firstCall(fixture, scripted);
  const writer = transport.output.getWriter();
  const writtenMs = 2_000;
  const before = write(writer, tone(oldHz, { durationMs: writtenMs }));
  await fixture.until("the caller hears the bot", () => toneMs(caller.playout.played(), oldHz) >= 200);

  const heardMs = toneMs(caller.playout.played(), oldHz);
  const atMs = performance.now();
  const cut = transport.interrupt();
  await fixture.within("interrupt() settles the pending writes", before);
  void write(writer, tone(newHz, { durationMs: newMs }));
  const isComplete = () => toneMs(caller.playout.played(), newHz, oldHz) >= newMs - 40;
  // INTERRUPT-2 reports it when the rest is missing.
  await fixture.until("the caller hears the rest", isComplete, newMs).catch((error) => {
    if (!(error instanceof AssertionError)) throw error;
  });
  lag.disable();
  return { caller, cut, atMs, heardMs, writtenMs, lagMs: lag.max / 1e6 };
}
