import { tone } from "@pipecat-ts/audio";
import { speak } from "@pipecat-ts/runner-core/caller";
import type { Runner } from "@pipecat-ts/runner-host";
import type { FakeCaller } from "../adapter.ts";
import { expect, expectSame } from "../assertions.ts";
import { connectBot, createScriptedBot, echo } from "../bots.ts";
import { expectRefused, type Fixture, invitationOf, listenersOf, type Requirement, walkInOf } from "../fixture.ts";
import { expectPitch, heardAudio, toneMs, voiceMs } from "../speech.ts";

/** Callers, runners and transports do not affect each other. */
export const isolation: readonly Requirement[] = [
  {
    id: "ISOLATION-1",
    title: "Two simultaneous callers do not get each other's audio and messages, and their bots get their own bodies",
    reason: "Overheard calls are the worst leak that a phone service can have.",
    async check(fixture) {
      const bodies: unknown[] = [];
      const runner = await fixture.open(async (args) => {
        bodies.push(args.body);
        const transport = await connectBot(args);
        if (fixture.adapter.messages !== false)
          transport.on("appMessage", (message) => void transport.sendMessage(message));
        await transport.input.pipeTo(transport.output);
      });
      const first = await fixture.call(runner, { caller: 1 });
      const second = await fixture.call(runner, { caller: 2 });
      const echoedMessages =
        fixture.adapter.messages === false ? undefined : await echoMessages(fixture, first, second);
      await expectOwnEchoes(fixture, first, second);
      if (echoedMessages) expectSame("the messages that the callers got", echoedMessages(), [[1], [2]]);
      if (fixture.adapter.start !== false) {
        const sorted = [...bodies].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
        expectSame("the bodies of the two bots", sorted, [{ caller: 1 }, { caller: 2 }]);
      }
    },
  },
  {
    id: "ISOLATION-2",
    title: "Two runners in one process are independent, and one closes without the other",
    reason: "Tests, gateways and servers with several bots run many in one process.",
    async check(fixture) {
      const calls: string[] = [];
      const open = (name: string) =>
        fixture.open(async (args) => {
          calls.push(name);
          const transport = await connectBot(args);
          await transport.input.pipeTo(transport.output);
        });
      const [one, other] = [await open("one"), await open("other")];
      const first = await fixture.call(one);
      const second = await fixture.call(other);
      await expectOwnEchoes(fixture, first, second);
      expectSame("the bots that ran", calls, ["one", "other"]);

      await fixture.within("one runner closes", one.close());
      await fixture.within("its caller is disconnected", first.closed);
      const before = voiceMs(heardAudio(second));
      await speak(second, tone(700, { durationMs: 400, sampleRate: second.sampleRate }));
      await fixture.until(
        "the other runner's caller still hears the echo",
        () => voiceMs(heardAudio(second)) >= before + 140,
      );
    },
  },
  {
    id: "ISOLATION-3",
    title: "An invitation of one runner is refused at another",
    reason: "Behind a load balancer, requests reach the wrong process: they must fail instead of starting a bot.",
    exempts({ start, startsBot }) {
      if (start === false) return "it has no start request";
      return startsBot ? "its callers join a room instead of the runner" : undefined;
    },
    async check(fixture) {
      let bots = 0;
      const one = await fixture.open(echo);
      const other = await fixture.open(async (args) => {
        bots++;
        await echo(args);
      });
      const { sessionId, reply } = invitationOf(await fixture.start(one));
      const moved = moveTo(reply, portsOf(one, fixture), portsOf(other, fixture));
      await expectRefused(fixture, fixture.connect(other, { start: { sessionId, reply: moved } }));
      expectSame("the number of bots that the other runner started", bots, 0);
      expectSame("the first runner's sessions", one.sessions.counts, { pending: 1, active: 0 });
    },
  },
  {
    id: "ISOLATION-4",
    title: "Its callers reach it whether its companions are opened before or after it",
    reason: "Discovery decides the order, and a companion may understand the same messages.",
    exempts: ({ companions = [] }) => (companions.length > 0 ? undefined : "it has no companions"),
    async check(fixture) {
      const { adapter } = fixture;
      const scripted = createScriptedBot();
      const runner = await fixture.open(scripted.bot, { companionsFirst: true });
      await fixture.call(runner);
      await fixture.until("the first caller reaches a bot", () => scripted.calls.length === 1);
      if (walkInOf(adapter)) {
        await fixture.connect(runner);
        await fixture.until("the caller without an invitation reaches a bot", () => scripted.calls.length === 2);
      }
      for (const { args } of scripted.calls) expectSame("args.transport", args.transport, adapter.plugin.name);
    },
  },
];

/** Sends a message of each caller, and waits for the echoes. Returns a function that tells whose messages each caller got. */
async function echoMessages(fixture: Fixture, ...callers: readonly FakeCaller[]): Promise<() => unknown[][]> {
  callers.forEach((caller, index) => {
    caller.sendMessage?.({ label: "conformance", type: "echo", data: index + 1 });
  });
  const echoed = () =>
    callers.map(({ messages = [] }) =>
      messages.flatMap((message) => {
        const { label, data } = Object(message) as { readonly label?: unknown; readonly data?: unknown };
        return label === "conformance" ? [data] : [];
      }),
    );
  await fixture.until("both callers get their message back", () => echoed().every(({ length }) => length > 0));
  return echoed;
}

async function expectOwnEchoes(fixture: Fixture, first: FakeCaller, second: FakeCaller): Promise<void> {
  await Promise.all([
    speak(first, tone(400, { durationMs: 400, sampleRate: first.sampleRate })),
    speak(second, tone(700, { durationMs: 400, sampleRate: second.sampleRate })),
  ]);
  await fixture.until("both hear their echo", () =>
    [first, second].every((caller) => voiceMs(heardAudio(caller)) >= 240),
  );
  expectPitch("the first caller", heardAudio(first), 400);
  expectPitch("the second caller", heardAudio(second), 700);
  const foreignMs = toneMs(first.playout.played(), 700, 400) + toneMs(second.playout.played(), 400, 700);
  expect(foreignMs === 0, `the callers heard ${foreignMs} ms of each other`);
}

/** The ports where a runner's callers connect: of the server and of the plugin's own listeners, in a fixed order. */
function portsOf(runner: Runner, fixture: Fixture): number[] {
  const urls = [runner.url, ...listenersOf(fixture.observed(runner))];
  return urls.map((url) => Number(new URL(url).port));
}

/** The reply with every port of one runner replaced by that of the other, as a load balancer would. */
function moveTo(
  reply: Readonly<Record<string, unknown>>,
  from: readonly number[],
  to: readonly number[],
): Readonly<Record<string, unknown>> {
  return JSON.parse(JSON.stringify(reply), (_, value: unknown) => {
    if (typeof value === "number") return to[from.indexOf(value)] ?? value;
    if (typeof value !== "string") return value;
    return from.reduce((text, port, index) => text.replaceAll(`:${port}`, `:${to[index]}`), value);
  });
}
