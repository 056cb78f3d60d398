import { setTimeout as sleep } from "node:timers/promises";
import type { SessionArguments, Transport } from "@pipecat-ts/runner-core";
import { connectBot } from "../bots.ts";
import type { Requirement } from "../requirement.ts";
import { tone } from "../signal.ts";
import { expectPitch, heard, say, voiceMs } from "../speech.ts";
import type { Stage } from "../stage.ts";
import { attributeStrayErrors } from "../stray-errors.ts";
import { expect, expectSame } from "../unmet.ts";

const reason = "One caller's mishap must never cut off another caller, let alone stop the server.";

/** The bot throws, and only its own caller notices. */
export const failing: readonly Requirement[] = [
  {
    id: "FAIL-1",
    title: "A bot that throws loses its own caller and no other",
    reason,
    check: (stage) =>
      fail(stage, () => {
        throw new Error("in the bot's body");
      }),
  },
  {
    id: "FAIL-2",
    title: "A bot that throws in a timer loses its own caller and no other",
    reason,
    alone: true,
    check: (stage) =>
      fail(stage, async (transport) => {
        setTimeout(() => {
          throw new Error("in a timer");
        }, 5);
        await transport.closed;
      }),
  },
  {
    id: "FAIL-3",
    title: "A bot that throws in a listener loses its own caller and no other",
    reason,
    alone: true,
    check: (stage) =>
      fail(stage, async (transport) => {
        transport.on("clientConnected", () => {
          throw new Error("in a listener");
        });
        await transport.closed;
      }),
  },
  {
    id: "FAIL-4",
    title: "A bot whose detached promise rejects loses its own caller and no other",
    reason,
    alone: true,
    check: (stage) =>
      fail(stage, async (transport) => {
        void sleep(5).then(() => Promise.reject(new Error("in a detached promise")));
        await transport.closed;
      }),
  },
];

/** Two callers on an echo bot, of whom the second has the bot fail; the first must be heard after that. */
async function fail(stage: Stage, mishap: (transport: Transport) => unknown): Promise<void> {
  const bots: SessionArguments[] = [];
  const runner = await stage.open(async (args) => {
    const transport = await connectBot(args);
    bots.push(args);
    if (bots.length > 1) await mishap(transport);
    else await transport.input.pipeTo(transport.output);
  });
  const stray = attributeStrayErrors(runner);
  try {
    const unharmed = await stage.call(runner);
    await stage.until("the first bot runs", () => bots.length === 1);
    const [session] = runner.sessions;
    const failed = await stage.call(runner);
    await stage.within("the failed bot's caller is hung up on", failed.closed);
    await stage.until("the failed session ends", () => runner.sessions.counts.active === 1);
    expectSame("which session is left", [...runner.sessions][0]?.id, session?.id);

    await say(unharmed, tone(440, { durationMs: 200, sampleRate: unharmed.sampleRate }));
    await stage.until("the other caller is echoed", () => voiceMs(heard(unharmed)) >= 140);
    expectPitch("the other caller", heard(unharmed), 440);
    const strangers = stray.unattributed.map(String);
    expect(strangers.length === 0, `errors that no session was charged with: ${strangers.join("; ")}`);
  } finally {
    stray.release();
  }
}
