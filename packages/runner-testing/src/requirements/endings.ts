import { setTimeout as sleep } from "node:timers/promises";
import { silence, tone } from "@pipecat-ts/audio";
import { speak } from "@pipecat-ts/runner-core/caller";
import type { FakeCaller } from "../adapter.ts";
import { expect, expectSame } from "../assertions.ts";
import { connectBot, createScriptedBot, echo } from "../bots.ts";
import {
  allEnded,
  expectRefused,
  type Fixture,
  firstCall,
  invitationOf,
  lossNoticedMs,
  onlySession,
  type Requirement,
} from "../fixture.ts";
import { heardAudio, voiceMs } from "../speech.ts";
import { withStart } from "./sessions.ts";

const goodbyeMs = 300;

/** How a call ends. */
export const endings: readonly Requirement[] = [
  {
    id: "END-1",
    title: "A caller who hangs up ends the bot's pipe, the transport and the session",
    reason: "Otherwise the bot talks, and costs money, without a listener.",
    check: (fixture) => expectEndsWhen(fixture, (caller) => caller.hangUp()),
  },
  {
    id: "END-2",
    title: "A caller who disconnects without a message ends them too",
    reason: "Lost networks and closed pages are far more frequent than hang-ups.",
    check: (fixture) => expectEndsWhen(fixture, (caller) => caller.drop()),
  },
  {
    id: "END-3",
    title: "A caller who leaves before the bot connects ends the session",
    reason: "Bots load models before they connect, and impatient callers have left by then.",
    async check(fixture) {
      const release = Promise.withResolvers<void>();
      const started = Promise.withResolvers<void>();
      const runner = await fixture.open(async (args) => {
        started.resolve();
        await release.promise;
        await echo(args);
      });
      const caller = await fixture.call(runner);
      await fixture.within("the bot starts", started.promise);
      const session = onlySession(runner);
      await fixture.within("the caller hangs up", caller.hangUp());
      await sleep(50); // until the server knows
      release.resolve();
      const reason = await fixture.within("the session ends", session.ended, lossNoticedMs(fixture.adapter));
      expectSame("the reason of the end", reason, "caller-left");
    },
  },
  {
    id: "END-4",
    title: "When the bot returns, the caller hears its last words and is then disconnected",
    reason: "Otherwise the goodbye is cut off, or the call stays open in silence.",
    async check(fixture) {
      const runner = await fixture.open(async (args) => {
        const transport = await connectBot(args);
        const writer = transport.output.getWriter();
        void writer.write(tone(440, { durationMs: goodbyeMs }));
      });
      const caller = await fixture.call(runner);
      await fixture.within("the caller is disconnected", caller.closed, goodbyeMs);
      await fixture.until("the caller hears the goodbye", () => voiceMs(heardAudio(caller)) >= goodbyeMs - 60);
      await allEnded(fixture, runner);
    },
  },
  {
    id: "END-5",
    title: "When the bot returns without connecting, the caller is disconnected too",
    reason: "A bot may reject a call because of its body alone; the caller must not wait.",
    async check(fixture) {
      const runner = await fixture.open(() => undefined);
      await expectRefused(fixture, fixture.call(runner));
      await allEnded(fixture, runner);
    },
  },
  {
    id: "END-6",
    title: "Ending a session by request disconnects the caller and aborts the bot's signal",
    reason: "Operators end calls, and bots stop their work when the signal aborts.",
    async check(fixture) {
      const scripted = createScriptedBot();
      const runner = await fixture.open(scripted.bot);
      const caller = await fixture.call(runner);
      const { args, transport } = await firstCall(fixture, scripted);
      await fixture.within("the session ends", onlySession(runner).end("ended-by-request"));
      expect(args.signal.aborted, "args.signal is not aborted");
      await fixture.within("the caller is disconnected", caller.closed);
      const reason = await fixture.within("transport.closed resolves", transport.closed);
      expectSame("the value of transport.closed", reason, "ended-by-request");
    },
  },
  {
    id: "END-7",
    title: "The invitation to an ended session is refused",
    reason: "A reloaded page or a replayed URL must not reach a bot.",
    exempts: withStart,
    async check(fixture) {
      const scripted = createScriptedBot();
      const runner = await fixture.open(scripted.bot);
      const start = invitationOf(await fixture.start(runner));
      const caller = await fixture.connect(runner, { start });
      await firstCall(fixture, scripted);
      await fixture.within("the caller hangs up", caller.hangUp());
      await allEnded(fixture, runner);
      await expectRefused(fixture, fixture.connect(runner, { start }));
      expectSame("the number of bots that ran", scripted.calls.length, 1);
    },
  },
  {
    id: "EVENT-1",
    title: "The bot gets clientConnected once, and clientDisconnected once",
    reason: "Bots greet the caller on the first and save their work on the second.",
    async check(fixture) {
      const events: unknown[] = [];
      const runner = await fixture.open(async (args) => {
        const transport = await connectBot(args);
        transport.on("clientConnected", () => events.push("connected"));
        transport.on("clientDisconnected", (reason) => events.push(reason));
        await transport.closed;
      });
      const caller = await fixture.call(runner);
      await fixture.until("clientConnected is emitted", () => events.length > 0);
      await fixture.within("the caller hangs up", caller.hangUp());
      await allEnded(fixture, runner);
      expectSame("the bot's events", events, ["connected", "caller-left"]);
    },
  },
];

async function expectEndsWhen(fixture: Fixture, leave: (caller: FakeCaller) => unknown): Promise<void> {
  const scripted = createScriptedBot();
  const runner = await fixture.open(scripted.bot);
  const caller = await fixture.call(runner);
  const { transport } = await firstCall(fixture, scripted);
  const piping = transport.input.pipeTo(transport.output);
  piping.catch(() => undefined); // checked below, after the caller has left
  await speak(caller, silence({ durationMs: 60, sampleRate: caller.sampleRate }));
  const session = onlySession(runner);
  await leave(caller);

  const extraMs = lossNoticedMs(fixture.adapter);
  await fixture.within("the pipe from input to output resolves", piping, extraMs);
  const closed = await fixture.within("transport.closed resolves", transport.closed, extraMs);
  expectSame("the value of transport.closed", closed, "caller-left");
  const reason = await fixture.within("the session ends", session.ended, extraMs);
  expectSame("the reason of the session's end", reason, "caller-left");
  expect(runner.sessions.find(session.id) === undefined, "the ended session can still be found by its id");
}
