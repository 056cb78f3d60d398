import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Interruption } from "@pipecat-ts/runner-core";
import type { FakeCaller } from "../adapter.ts";
import { createPuppet } from "../bots.ts";
import type { Requirement } from "../requirement.ts";
import { tone } from "../signal.ts";
import { toneMs, write } from "../speech.ts";
import type { Stage } from "../stage.ts";
import { expect, Unmet } from "../unmet.ts";
import { firstCall } from "./outcome.ts";

const oldHz = 400;
const newHz = 1_000;
const newMs = 240;

/** The caller barges in. */
export const interrupting: readonly Requirement[] = [
  {
    id: "INTERRUPT-1",
    title: "Nothing that was written before an interruption is heard after it",
    reason: "A bot that talks on over its caller is the oldest complaint about voice bots.",
    async check(stage) {
      const { caller, atMs, lagMs } = await bargeIn(stage);
      const after = caller.speaker.heard().filter((entry) => entry.atMs > atMs);
      const oldMs = toneMs(after, oldHz, newHz);
      const { wireDelayMs = 0 } = stage.adapter;
      expect(
        oldMs <= 100 + wireDelayMs + lagMs,
        `${oldMs} ms of what was written before the interruption were heard after it`,
      );
    },
  },
  {
    id: "INTERRUPT-2",
    title: "What is written after an interruption is heard, whole",
    reason: "The bot's answer to the interruption would be lost.",
    async check(stage) {
      const { caller } = await bargeIn(stage);
      const ms = toneMs(caller.speaker.heard(), newHz, oldHz);
      expect(Math.abs(ms - newMs) <= 60, `of ${newMs} ms written after the interruption ${ms} ms were heard`);
    },
  },
  {
    id: "INTERRUPT-3",
    title: "An interruption tells how much the caller has heard, and how much was dropped",
    reason: "The bot's memory of the conversation must end where the caller stopped listening.",
    async check(stage) {
      const { cut, heardMs, writtenMs, lagMs } = await bargeIn(stage);
      const toleranceMs = 200 + 3 * lagMs; // an acknowledgement is late three times: there, in time, and back
      expect(
        Math.abs(cut.playedMs - heardMs) <= toleranceMs,
        `playedMs is ${cut.playedMs}; the caller had heard ${heardMs} ms`,
      );
      const sumMs = cut.playedMs + cut.droppedMs;
      expect(
        Math.abs(sumMs - writtenMs) <= toleranceMs,
        `playedMs + droppedMs is ${sumMs}, of ${writtenMs} ms written`,
      );
    },
  },
  {
    id: "INTERRUPT-4",
    title: "An interruption empties the far end's buffer",
    reason: "Carriers play on for seconds what was sent ahead.",
    exempts: ({ clears }) => (clears ? undefined : "its far end buffers nothing"),
    async check(stage) {
      const { caller } = await bargeIn(stage);
      expect(caller.speaker.clears > 0, "the far end was never told to clear its buffer");
    },
  },
];

/** A bot says 2 s, is interrupted when the caller has heard 200 ms, and says something else; up to the end of that. */
async function bargeIn(stage: Stage): Promise<{
  readonly caller: FakeCaller;
  readonly cut: Interruption;
  /** When it was interrupted, on the scale of `performance.now()`. */
  readonly atMs: number;
  readonly heardMs: number;
  readonly writtenMs: number;
  /** How late this process was at worst, which is nobody's fault. */
  readonly lagMs: number;
}> {
  const puppet = createPuppet();
  const caller = await stage.call(await stage.open(puppet.bot));
  const { transport } = await firstCall(stage, puppet);
  const writer = transport.output.getWriter();
  const writtenMs = 2_000;
  const lag = monitorEventLoopDelay({ resolution: 5 });
  lag.enable();
  const before = write(writer, tone(oldHz, { durationMs: writtenMs }));
  await stage.until("the caller hears the bot", () => toneMs(caller.speaker.heard(), oldHz) >= 200);

  const heardMs = toneMs(caller.speaker.heard(), oldHz);
  const atMs = performance.now();
  const cut = transport.interrupt();
  await stage.within("interrupt() settles the pending writes", before);
  void write(writer, tone(newHz, { durationMs: newMs }));
  const isHeardOut = () => toneMs(caller.speaker.heard(), newHz, oldHz) >= newMs - 40;
  // That it never comes is INTERRUPT-2's to say.
  await stage
    .until("the caller hears the rest", isHeardOut, newMs)
    .catch((error) => expect(error instanceof Unmet, String(error)));
  lag.disable();
  return { caller, cut, atMs, heardMs, writtenMs, lagMs: lag.max / 1e6 };
}
