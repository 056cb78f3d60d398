import type { FakeCaller } from "../adapter.ts";
import { connectBot, createPuppet, echo } from "../bots.ts";
import { createGate } from "../gate.ts";
import type { Requirement } from "../requirement.ts";
import { silence, tone } from "../signal.ts";
import { heard, say, voiceMs } from "../speech.ts";
import { invitationOf, type Stage } from "../stage.ts";
import { expect, expectSame } from "../unmet.ts";
import { allEnded, expectTurnedAway, firstCall, lossNoticedMs, onlySession } from "./outcome.ts";

const farewellMs = 300;

/** How a call ends. */
export const endings: readonly Requirement[] = [
  {
    id: "END-1",
    title: "A caller who hangs up ends the bot's pipe, its transport and the session",
    reason: "A bot that does not notice talks, and is billed, to nobody.",
    check: (stage) => leave(stage, (caller) => caller.hangUp()),
  },
  {
    id: "END-2",
    title: "A caller who vanishes ends them too",
    reason: "Phones lose the network and pages are closed far more often than anybody hangs up.",
    check: (stage) => leave(stage, (caller) => caller.drop()),
  },
  {
    id: "END-3",
    title: "A caller who leaves before the bot has connected does not leave the bot waiting",
    reason: "Bots load models before they connect; impatient callers are gone by then.",
    async check(stage) {
      const gate = createGate();
      const begun = createGate();
      const runner = await stage.open(async (args) => {
        begun.open();
        await gate.opened;
        await echo(args);
      });
      const caller = await stage.call(runner);
      await stage.within("the bot starts", begun.opened);
      const session = onlySession(runner);
      await stage.within("the caller hangs up", caller.hangUp());
      gate.open();
      const reason = await stage.within("the session ends", session.ended, lossNoticedMs(stage.adapter));
      expectSame("the reason of the end", reason, "caller-left");
    },
  },
  {
    id: "END-4",
    title: "A bot that returns hangs up on the caller, who has heard its last words",
    reason: "A call cut off in the middle of the goodbye, or one that stays open in silence.",
    async check(stage) {
      const runner = await stage.open(async (args) => {
        const transport = await connectBot(args);
        const writer = transport.output.getWriter();
        void writer.write(tone(440, { durationMs: farewellMs }));
      });
      const caller = await stage.call(runner);
      await stage.within("the caller is hung up on", caller.closed, farewellMs);
      await stage.until("what was sent has sounded", () => voiceMs(heard(caller)) >= farewellMs - 60);
      await allEnded(stage, runner);
    },
  },
  {
    id: "END-5",
    title: "A bot that returns without connecting hangs up on the caller too",
    reason: "A bot may refuse a call by its body alone; the caller must not wait on an open line.",
    async check(stage) {
      const runner = await stage.open(() => undefined);
      await expectTurnedAway(stage, stage.call(runner));
      await allEnded(stage, runner);
    },
  },
  {
    id: "END-6",
    title: "A session that is ended from outside hangs up on the caller and aborts the bot's signal",
    reason: "Operators end calls, and bots stop what they do by their signal.",
    async check(stage) {
      const puppet = createPuppet();
      const runner = await stage.open(puppet.bot);
      const caller = await stage.call(runner);
      const { args, transport } = await firstCall(stage, puppet);
      await stage.within("the session ends", onlySession(runner).end("ended-by-request"));
      expect(args.signal.aborted, "args.signal is not aborted");
      await stage.within("the caller is hung up on", caller.closed);
      const reason = await stage.within("transport.closed resolves", transport.closed);
      expectSame("what transport.closed resolves with", reason, "ended-by-request");
    },
  },
  {
    id: "END-7",
    title: "The invitation to a session that has ended is refused",
    reason: "A reloaded page or a replayed URL would talk to another caller's bot, or to none.",
    exempts: ({ start }) => (start === false ? "it has no start request" : undefined),
    async check(stage) {
      const puppet = createPuppet();
      const runner = await stage.open(puppet.bot);
      const invitation = invitationOf(await stage.start(runner));
      const caller = await stage.connect(runner, invitation);
      await firstCall(stage, puppet);
      await stage.within("the caller hangs up", caller.hangUp());
      await allEnded(stage, runner);
      await expectTurnedAway(stage, stage.connect(runner, invitation));
      expectSame("how many bots ran", puppet.calls.length, 1);
    },
  },
  {
    id: "EVENT-1",
    title: "The bot is told once that its caller came, and once that they left",
    reason: "Bots greet on the one and save their work on the other.",
    async check(stage) {
      const told: unknown[] = [];
      const runner = await stage.open(async (args) => {
        const transport = await connectBot(args);
        transport.on("clientConnected", () => told.push("connected"));
        transport.on("clientDisconnected", (reason) => told.push(reason));
        await transport.closed;
      });
      const caller = await stage.call(runner);
      await stage.until("clientConnected comes", () => told.length > 0);
      await stage.within("the caller hangs up", caller.hangUp());
      await allEnded(stage, runner);
      expectSame("what the bot was told", told, ["connected", "caller-left"]);
    },
  },
];

async function leave(stage: Stage, go: (caller: FakeCaller) => unknown): Promise<void> {
  const puppet = createPuppet();
  const runner = await stage.open(puppet.bot);
  const caller = await stage.call(runner);
  const { transport } = await firstCall(stage, puppet);
  const piping = transport.input.pipeTo(transport.output);
  piping.catch(() => undefined); // looked at below, when the caller has left
  await say(caller, silence({ durationMs: 60, sampleRate: caller.sampleRate }));
  const session = onlySession(runner);
  await go(caller);

  const extraMs = lossNoticedMs(stage.adapter);
  await stage.within("the pipe from input to output ends well", piping, extraMs);
  const closed = await stage.within("transport.closed resolves", transport.closed, extraMs);
  expectSame("what transport.closed resolves with", closed, "caller-left");
  const reason = await stage.within("the session ends", session.ended, extraMs);
  expectSame("the reason of the session's end", reason, "caller-left");
  expect(runner.sessions.find(session.id) === undefined, "the session is still found by its id");
}
