import { setTimeout as sleep } from "node:timers/promises";
import type { SessionArguments, Transport } from "@pipecat-ts/runner-core";
import type { Runner } from "@pipecat-ts/runner-host";
import { connectBot } from "../bots.ts";
import type { Requirement } from "../requirement.ts";
import { tone } from "../signal.ts";
import { expectPitch, heard, say, voiceMs } from "../speech.ts";
import type { Stage } from "../stage.ts";
import { expect, expectSame } from "../unmet.ts";
import { expectTurnedAway, onlySession } from "./outcome.ts";

const reason = "One caller's mishap must never cut off another caller, let alone stop the server.";

/** The bot throws, and only its own caller notices. */
export const failing: readonly Requirement[] = [
  {
    id: "FAIL-1",
    title: "A bot that throws loses its own caller and no other",
    reason,
    check: (stage) =>
      fail(stage, (_, error) => {
        throw error;
      }),
  },
  {
    id: "FAIL-2",
    title: "A bot that throws in a timer loses its own caller and no other",
    reason,
    check: (stage) =>
      fail(stage, async (transport, error) => {
        setTimeout(() => {
          throw error;
        }, 5);
        await transport.closed;
      }),
  },
  {
    id: "FAIL-3",
    title: "A bot that throws in a listener loses its own caller and no other",
    reason,
    check: (stage) =>
      fail(stage, async (transport, error) => {
        transport.on("clientConnected", () => {
          throw error;
        });
        await transport.closed;
      }),
  },
  {
    id: "FAIL-4",
    title: "A bot whose detached promise rejects loses its own caller and no other",
    reason,
    check: (stage) =>
      fail(stage, async (transport, error) => {
        void sleep(5).then(() => Promise.reject(error));
        await transport.closed;
      }),
  },
];

/** Two callers on an echo bot, of whom the second has the bot fail; the first must be heard after that. */
async function fail(stage: Stage, mishap: (transport: Transport, error: Error) => unknown): Promise<void> {
  const bots: SessionArguments[] = [];
  const error = new Error("this bot fails on purpose");
  const runner = await stage.open(async (args) => {
    const transport = await connectBot(args);
    bots.push(args);
    if (bots.length > 1) await mishap(transport, error);
    else await transport.input.pipeTo(transport.output);
  });
  const unharmed = await stage.call(runner);
  await stage.until("the first bot runs", () => bots.length === 1);
  const failed = await stage.call(runner);
  await stage.within("the failed bot's caller is hung up on", failed.closed);
  await stage.until("the failed session ends", () => runner.sessions.counts.active === 1);
  expectSame("which session is left", onlySession(runner).id, bots[0]?.sessionId);

  await say(unharmed, tone(440, { durationMs: 200, sampleRate: unharmed.sampleRate }));
  await stage.until("the other caller is echoed", () => voiceMs(heard(unharmed)) >= 140);
  expectPitch("the other caller", heard(unharmed), 440);
  await expectOwnScope(stage, runner);
  const strangers = stage.strays.claim((stray) => stray === error);
  expect(strangers.length === 0, "no session was charged with the bot's error: it would have stopped the server");
}

/** What is done for others must not run on in the failed session's scope, or their errors are put down to it. */
async function expectOwnScope(stage: Stage, failed: Runner): Promise<void> {
  const scopes: unknown[] = [];
  const other = await stage.open(async (args) => {
    scopes.push(failed.sessions.current()?.state);
    await connectBot(args);
  });
  await expectTurnedAway(stage, stage.call(other));
  await stage.until("another runner's bot runs", () => scopes.length > 0);
  expect(scopes[0] === undefined, `another runner's bot runs in the scope of a session that is ${scopes[0]}`);
}
