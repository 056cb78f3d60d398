import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { tone } from "@pipecat-ts/audio";
import type { SessionArguments, Transport } from "@pipecat-ts/runner-core";
import { speak } from "@pipecat-ts/runner-core/caller";
import type { Runner } from "@pipecat-ts/runner-host";
import type { FakeCaller } from "../adapter.ts";
import { expect, expectSame } from "../assertions.ts";
import { connectBot, echo } from "../bots.ts";
import { expectRefused, explain, type Fixture, onlySession, type Requirement } from "../fixture.ts";
import { expectPitch, heardAudio, voiceMs } from "../speech.ts";

const reason = "One caller's error must never end another caller's call, let alone stop the server.";

/** Errors that end one call only. */
export const failures: readonly Requirement[] = [
  {
    id: "FAIL-1",
    title: "A bot that throws ends its own call only",
    reason,
    check: (fixture) =>
      expectOneEnds(fixture, (_, error) => {
        throw error;
      }),
  },
  {
    id: "FAIL-2",
    title: "A bot that throws in a timer ends its own call only",
    reason,
    check: (fixture) =>
      expectOneEnds(fixture, async (transport, error) => {
        setTimeout(() => {
          throw error;
        }, 5);
        await transport.closed;
      }),
  },
  {
    id: "FAIL-3",
    title: "A bot that throws in a listener ends its own call only",
    reason,
    check: (fixture) =>
      expectOneEnds(fixture, async (transport, error) => {
        transport.on("clientConnected", () => {
          throw error;
        });
        await transport.closed;
      }),
  },
  {
    id: "FAIL-4",
    title: "A bot with an unhandled rejection ends its own call only",
    reason,
    check: (fixture) =>
      expectOneEnds(fixture, async (transport, error) => {
        void sleep(5).then(() => Promise.reject(error));
        await transport.closed;
      }),
  },
  {
    id: "FAIL-5",
    title: "Malformed input from one caller reaches neither the process nor another call",
    reason: "Anyone can send anything, and one exception outside a session stops the server.",
    turn: "alone",
    exempts: ({ rawInput }) => (rawInput === false ? "another library parses what callers send" : undefined),
    async check(fixture) {
      const [earlier] = fixture.uncaught.take(() => true);
      expect(
        earlier === undefined,
        `an earlier call caused an uncaught error outside of its session: ${explain(earlier)}`,
      );
      const runner = await fixture.open(echo);
      const other = await fixture.call(runner);
      await fixture.until("the first call is live", () => runner.sessions.counts.active === 1);
      const send = async (data: string | Uint8Array) => {
        const caller = await fixture.call(runner);
        expect(caller.sendRaw !== undefined, "the fake caller lacks sendRaw; add it, or set rawInput: false");
        caller.sendRaw(data);
        await nextTurn();
        fixture.release(caller);
      };
      await fixture.each([...malformed, ...(fixture.adapter.malformed ?? [])], send);
      await fixture.until("the calls with malformed input end", () => runner.sessions.counts.active <= 1, 2_000);
      await expectEcho(fixture, other);
      const [uncaught] = fixture.uncaught.take(() => true);
      expect(uncaught === undefined, `malformed input caused an uncaught error: ${explain(uncaught)}`);
    },
  },
];

/** Input that is malformed on any wire. */
const malformed: readonly (string | Uint8Array)[] = [
  "",
  "{",
  "null",
  "7",
  '{"type":',
  '{"event":null,"type":[],"data":"x"}',
  "\u0000",
  new Uint8Array(1),
  Uint8Array.from({ length: 333 }, (_, index) => (index * 89 + 7) & 0xff),
  new Uint8Array(40).fill(0xff),
];

/** Two callers of an echo bot. The second one's bot fails; the first must still be echoed afterwards. */
async function expectOneEnds(fixture: Fixture, fail: (transport: Transport, error: Error) => unknown): Promise<void> {
  const bots: SessionArguments[] = [];
  const error = new Error("this bot fails on purpose");
  const runner = await fixture.open(async (args) => {
    const transport = await connectBot(args);
    bots.push(args);
    if (bots.length > 1) await fail(transport, error);
    else await transport.input.pipeTo(transport.output);
  });
  const other = await fixture.call(runner);
  await fixture.until("the first bot runs", () => bots.length === 1);
  const failed = await fixture.call(runner);
  await fixture.within("the failed bot's caller is disconnected", failed.closed);
  await fixture.until("the failed session ends", () => runner.sessions.counts.active === 1);
  expectSame("the remaining session", onlySession(runner).id, bots[0]?.sessionId);

  await expectEcho(fixture, other);
  await expectOwnScope(fixture, runner);
  const uncaught = fixture.uncaught.take((each) => each === error);
  expect(uncaught.length === 0, "the bot's error belonged to no session: it would have stopped the server");
}

async function expectEcho(fixture: Fixture, caller: FakeCaller): Promise<void> {
  await speak(caller, tone(440, { durationMs: 400, sampleRate: caller.sampleRate }));
  await fixture.until("the other caller hears the echo", () => voiceMs(heardAudio(caller)) >= 240);
  expectPitch("the other caller", heardAudio(caller), 440);
}

/** Work for others must not run in the failed session's scope, or their errors would be attributed to it. */
async function expectOwnScope(fixture: Fixture, failed: Runner): Promise<void> {
  const scopes: unknown[] = [];
  const other = await fixture.open(async (args) => {
    scopes.push(failed.sessions.current()?.state);
    await connectBot(args);
  });
  await expectRefused(fixture, fixture.call(other));
  await fixture.until("another runner's bot runs", () => scopes.length > 0);
  expect(scopes[0] === undefined, `another runner's bot runs in the scope of a session that is ${scopes[0]}`);
}
