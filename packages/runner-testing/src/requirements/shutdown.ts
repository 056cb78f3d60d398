import { tone } from "@pipecat-ts/audio";
import { speak } from "@pipecat-ts/runner-core/caller";
import type { Runner } from "@pipecat-ts/runner-host";
import { expect, expectSame } from "../assertions.ts";
import { createScriptedBot, echo } from "../bots.ts";
import {
  expectRefused,
  type Fixture,
  firstCall,
  invitationOf,
  lossNoticedMs,
  onlySession,
  type Requirement,
  walkInOf,
} from "../fixture.ts";
import { heardAudio, voiceMs } from "../speech.ts";
import { expectErrorBody } from "./sessions.ts";

/** The runner is full, drains, or closes. */
export const shutdown: readonly Requirement[] = [
  {
    id: "CAPACITY-1",
    title: "A caller above the capacity is refused and counted, and the next one is served when there is room",
    reason: "A full server must refuse new callers instead of degrading all calls.",
    async check(fixture) {
      const { adapter } = fixture;
      const scripted = createScriptedBot();
      const runner = await fixture.open(scripted.bot, { maxSessions: 1 });
      const hasStart = adapter.start !== false;
      const { startTakesPlace = adapter.startsBot === true } = adapter;
      // Where the start request takes the place, a full server gives no second invitation.
      const second = hasStart && !startTakesPlace ? { start: invitationOf(await fixture.start(runner)) } : {};
      const first = await fixture.call(runner);
      await firstCall(fixture, scripted);
      const rejections = await countRejections(fixture, runner);
      if (!startTakesPlace) await expectRefused(fixture, fixture.connect(runner, second));
      expectSame("the number of bots that ran", scripted.calls.length, 1);
      if (walkInOf(adapter)) {
        const { pending } = runner.sessions.counts;
        await expectRefused(fixture, fixture.connect(runner));
        await fixture.until(
          "the refused caller's session is released",
          () => runner.sessions.counts.pending <= pending,
        );
      }
      if (hasStart) {
        const answer = await fixture.start(runner);
        expectSame("the status of POST /start at capacity", answer.status, 429);
        expectErrorBody(answer);
      }
      const counted = (await countRejections(fixture, runner)) - rejections;
      const expected = [!startTakesPlace, walkInOf(adapter), hasStart].filter(Boolean).length;
      expect(counted >= expected, `the metrics count ${counted} of ${expected} rejected callers`);
      await fixture.within("the caller hangs up", first.hangUp());
      await fixture.until("the call ends", () => runner.sessions.counts.active === 0, lossNoticedMs(adapter));
      await fixture.call(runner);
      await fixture.until("the next caller reaches the bot", () => scripted.calls.length === 2);
    },
  },
  {
    id: "DRAIN-1",
    title: "A draining runner refuses new callers and keeps the live call until it ends",
    reason: "A new version is deployed without ending calls.",
    async check(fixture) {
      const { adapter } = fixture;
      const runner = await fixture.open(echo, { shutdownTimeoutMs: 60_000 });
      const caller = await fixture.call(runner);
      await fixture.until("the call is live", () => runner.sessions.counts.active === 1);
      let drained = false;
      const draining = runner.drain().then(() => {
        drained = true;
      });
      if (adapter.start !== false) {
        const answer = await fixture.start(runner);
        expectSame("the status of POST /start while draining", answer.status, 503);
        expectErrorBody(answer);
      }
      if (walkInOf(adapter)) await expectRefused(fixture, fixture.connect(runner));
      await speak(caller, tone(440, { durationMs: 200, sampleRate: caller.sampleRate }));
      await fixture.until("the live caller still hears the echo", () => voiceMs(heardAudio(caller)) >= 140);
      expect(!drained, "drain() resolved while a call was live");
      await fixture.within("the caller hangs up", caller.hangUp());
      await fixture.within("drain() resolves", draining, lossNoticedMs(adapter));
    },
  },
  {
    id: "CLOSE-1",
    title: "Closing the runner disconnects live callers and refuses invited ones",
    reason: "A stopped server must not leave calls open.",
    async check(fixture) {
      const scripted = createScriptedBot();
      const runner = await fixture.open(scripted.bot);
      const caller = await fixture.call(runner);
      const { args, transport } = await firstCall(fixture, scripted);
      const session = onlySession(runner);
      await fixture.within("the runner closes", runner.close(), 2_000);
      await fixture.within("the caller is disconnected", caller.closed);
      expect(args.signal.aborted, "args.signal is not aborted");
      const closed = await fixture.within("transport.closed resolves", transport.closed);
      expectSame("the value of transport.closed", closed, "shutdown");
      expectSame(
        "the reason of the session's end",
        await fixture.within("the session ends", session.ended),
        "shutdown",
      );
      await expectRefused(fixture, fixture.call(runner));
    },
  },
  {
    id: "CLOSE-2",
    title: "Closing twice has the effect of closing once",
    reason: "A second signal, a failed start and a test's cleanup close what is closed already.",
    async check(fixture) {
      const runner = await fixture.open(echo);
      const caller = await fixture.call(runner);
      await fixture.until("the call is live", () => runner.sessions.counts.active === 1);
      await fixture.within("the runner closes twice", Promise.all([runner.close(), runner.close()]), 2_000);
      await fixture.within("the caller is disconnected", caller.closed);
      await fixture.within("the runner closes again", runner.close());
      const [transport] = fixture.observed(runner).opened;
      expect(transport !== undefined, "the plugin was not opened");
      await fixture.within("the transport closes again", Promise.resolve(transport.close?.()));
    },
  },
];

/** The runner's `pipecat_rejections_total`, over all codes. */
async function countRejections(fixture: Fixture, runner: Runner): Promise<number> {
  const { text } = await fixture.request(runner, "/metrics");
  const counts = [...text.matchAll(/^pipecat_rejections_total\{.*\} (\d+)$/gm)].map(([, count]) => Number(count));
  return counts.reduce((total, count) => total + count, 0);
}
