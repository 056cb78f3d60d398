import type { OpenTransport, TransportPlugin } from "@pipecat-ts/runner-core";
import { createPuppet, echo } from "../bots.ts";
import type { Requirement } from "../requirement.ts";
import { tone } from "../signal.ts";
import { heard, say, voiceMs } from "../speech.ts";
import { invitationOf } from "../stage.ts";
import { expect, expectSame } from "../unmet.ts";
import { expectTurnedAway, firstCall, lossNoticedMs, onlySession } from "./outcome.ts";
import { expectErrorBody } from "./starting.ts";

/** The runner is full, drains, or closes. */
export const stopping: readonly Requirement[] = [
  {
    id: "CAPACITY-1",
    title: "A caller too many is turned away, and the next is served once there is room",
    reason: "Above its capacity a server must refuse new callers rather than spoil the calls of all.",
    async check(stage) {
      const puppet = createPuppet();
      const runner = await stage.open(puppet.bot, { maxSessions: 1 });
      const started = stage.adapter.start !== false;
      // Where a start request takes the place, there is no second invitation to a full server.
      const invites = started && !stage.adapter.startsBot;
      const second = invites ? invitationOf(await stage.start(runner)) : undefined;
      const first = await stage.call(runner);
      await firstCall(stage, puppet);
      if (!stage.adapter.startsBot) await expectTurnedAway(stage, stage.connect(runner, second));
      expectSame("how many bots ran", puppet.calls.length, 1);
      if (started) {
        const answer = await stage.start(runner);
        expectSame("the status of POST /start at capacity", answer.status, 429);
        expectErrorBody(answer);
      }
      await stage.within("the caller hangs up", first.hangUp());
      await stage.until("the call ends", () => runner.sessions.counts.active === 0, lossNoticedMs(stage.adapter));
      await stage.call(runner);
      await stage.until("the next caller reaches the bot", () => puppet.calls.length === 2);
    },
  },
  {
    id: "DRAIN-1",
    title: "A draining runner refuses new callers and leaves the live call alone until it ends",
    reason: "A new version is deployed without cutting anybody off.",
    async check(stage) {
      const runner = await stage.open(echo, { shutdownTimeoutMs: 60_000 });
      const caller = await stage.call(runner);
      await stage.until("the call is live", () => runner.sessions.counts.active === 1);
      let drained = false;
      const draining = runner.drain().then(() => {
        drained = true;
      });
      if (stage.adapter.start !== false) {
        const answer = await stage.start(runner);
        expectSame("the status of POST /start while draining", answer.status, 503);
        expectErrorBody(answer);
      }
      if (stage.adapter.start === false || stage.adapter.walkIn) await expectTurnedAway(stage, stage.connect(runner));
      await say(caller, tone(440, { durationMs: 200, sampleRate: caller.sampleRate }));
      await stage.until("the live caller is still echoed", () => voiceMs(heard(caller)) >= 140);
      expect(!drained, "drain() resolved while a call was live");
      await stage.within("the caller hangs up", caller.hangUp());
      await stage.within("drain() resolves", draining, lossNoticedMs(stage.adapter));
    },
  },
  {
    id: "CLOSE-1",
    title: "Closing the runner hangs up on live callers and turns away those who were invited",
    reason: "A stopped server must not leave phones off the hook.",
    async check(stage) {
      const puppet = createPuppet();
      const runner = await stage.open(puppet.bot);
      const caller = await stage.call(runner);
      const { args, transport } = await firstCall(stage, puppet);
      const session = onlySession(runner);
      await stage.within("the runner closes", runner.close(), 2_000);
      await stage.within("the caller is hung up on", caller.closed);
      expect(args.signal.aborted, "args.signal is not aborted");
      expectSame(
        "what transport.closed resolves with",
        await stage.within("transport.closed resolves", transport.closed),
        "shutdown",
      );
      expectSame("the reason of the session's end", await stage.within("the session ends", session.ended), "shutdown");
      await expectTurnedAway(stage, stage.call(runner));
    },
  },
  {
    id: "CLOSE-2",
    title: "Closing twice is closing once",
    reason: "A second signal, a failed start and a test's clean-up all close what is closed already.",
    async check(stage) {
      const opened: OpenTransport[] = [];
      const { plugin, companions = [] } = stage.adapter;
      const watched: TransportPlugin = {
        ...plugin,
        async open(runner, options) {
          const transport = await plugin.open(runner, options);
          opened.push(transport);
          return transport;
        },
      };
      const runner = await stage.open(echo, { plugins: [watched, ...companions.map((other) => other.plugin)] });
      const caller = await stage.call(runner);
      await stage.until("the call is live", () => runner.sessions.counts.active === 1);
      await stage.within("the runner closes twice", Promise.all([runner.close(), runner.close()]), 2_000);
      await stage.within("the caller is hung up on", caller.closed);
      await stage.within("the runner closes again", runner.close());
      const [transport] = opened;
      expect(transport !== undefined, "the plugin was not opened");
      await stage.within("the transport closes again", transport.close());
    },
  },
];
