import type { FakeCaller } from "../adapter.ts";
import { connectBot, echo } from "../bots.ts";
import type { Requirement } from "../requirement.ts";
import { tone } from "../signal.ts";
import { expectPitch, heard, say, toneMs, voiceMs } from "../speech.ts";
import { invitationOf, type Stage } from "../stage.ts";
import { expect, expectSame } from "../unmet.ts";
import { expectTurnedAway } from "./outcome.ts";

/** Callers and runners know nothing of each other. */
export const isolating: readonly Requirement[] = [
  {
    id: "ISOLATION-1",
    title: "Two callers at once do not hear each other, and their bots get their own bodies",
    reason: "Overheard calls are the worst leak a phone service can have.",
    async check(stage) {
      const bodies: unknown[] = [];
      const runner = await stage.open(async (args) => {
        bodies.push(args.body);
        await echo(args);
      });
      const first = await stage.call(runner, { caller: 1 });
      const second = await stage.call(runner, { caller: 2 });
      await expectOwnEchoes(stage, first, second);
      if (stage.adapter.start !== false) {
        const wanted = [{ caller: 1 }, { caller: 2 }];
        const sorted = [...bodies].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
        expectSame("what the two bots got as body", sorted, wanted);
      }
    },
  },
  {
    id: "ISOLATION-2",
    title: "Two runners in one process do not mix, and one closes without the other",
    reason: "Tests, gateways and servers with several bots run many in one process.",
    async check(stage) {
      const visits: string[] = [];
      const open = (name: string) =>
        stage.open(async (args) => {
          visits.push(name);
          const transport = await connectBot(args);
          await transport.input.pipeTo(transport.output);
        });
      const [one, other] = [await open("one"), await open("other")];
      const first = await stage.call(one);
      const second = await stage.call(other);
      await expectOwnEchoes(stage, first, second);
      expectSame("which bots were called", visits, ["one", "other"]);

      await stage.within("one runner closes", one.close());
      await stage.within("its caller is hung up on", first.closed);
      const before = voiceMs(heard(second));
      await say(second, tone(700, { durationMs: 200, sampleRate: second.sampleRate }));
      await stage.until("the other runner's caller is still echoed", () => voiceMs(heard(second)) >= before + 140);
    },
  },
  {
    id: "ISOLATION-3",
    title: "An invitation of one runner is worth nothing at another",
    reason: "Behind a balancer requests reach the wrong process; they must fail there instead of starting a bot.",
    exempts: ({ start }) => (start === false ? "it has no start request" : undefined),
    async check(stage) {
      let strangers = 0;
      const one = await stage.open(echo);
      const other = await stage.open(async (args) => {
        strangers++;
        await echo(args);
      });
      const { sessionId, reply } = invitationOf(await stage.start(one));
      const moved = JSON.parse(JSON.stringify(reply).replaceAll(one.url.host, other.url.host));
      if (JSON.stringify(moved) === JSON.stringify(reply)) return; // it names no address of the runner's: it cannot go astray
      await expectTurnedAway(stage, stage.connect(other, { sessionId, reply: moved }));
      expect(strangers === 0, "the other runner started a bot");
    },
  },
];

async function expectOwnEchoes(stage: Stage, first: FakeCaller, second: FakeCaller): Promise<void> {
  await Promise.all([
    say(first, tone(400, { durationMs: 300, sampleRate: first.sampleRate })),
    say(second, tone(700, { durationMs: 300, sampleRate: second.sampleRate })),
  ]);
  await stage.until("both hear their echo", () => [first, second].every((caller) => voiceMs(heard(caller)) >= 240));
  expectPitch("the first caller", heard(first), 400);
  expectPitch("the second caller", heard(second), 700);
  const strangeMs = toneMs(first.speaker.heard(), 700, 400) + toneMs(second.speaker.heard(), 400, 700);
  expect(strangeMs === 0, `${strangeMs} ms of one caller were heard by the other`);
}
