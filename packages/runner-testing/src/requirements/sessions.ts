import type { Answer } from "@pipecat-ts/runner-core/caller";
import type { Runner } from "@pipecat-ts/runner-host";
import type { TransportAdapter } from "../adapter.ts";
import { expect, expectSame } from "../assertions.ts";
import { createScriptedBot } from "../bots.ts";
import { type Fixture, firstCall, invitationOf, type Requirement, walkInOf } from "../fixture.ts";

const body = { text: "Grüße, 世界 🙂", list: [1, null, true, { deep: [] }] };

export const withStart = ({ start }: TransportAdapter): string | undefined =>
  start === false ? "it has no start request" : undefined;

/** How a session begins. */
export const sessions: readonly Requirement[] = [
  {
    id: "START-1",
    title: "The bot sees the session id of the reply to /start, and the transport's name",
    reason: "Otherwise applications cannot tell to which of their bots a log line or request belongs.",
    exempts: withStart,
    async check(fixture) {
      const scripted = createScriptedBot();
      const runner = await fixture.open(scripted.bot);
      const invitation = invitationOf(await fixture.start(runner));
      await fixture.connect(runner, { start: invitation });
      const { args, transport } = await firstCall(fixture, scripted);
      expectSame("args.sessionId", args.sessionId, invitation.sessionId);
      expectSame("args.transport", args.transport, fixture.adapter.plugin.name);
      expectSame("transport.name", transport.name, fixture.adapter.plugin.name);
      expect(!args.signal.aborted, "args.signal is aborted during the call");
      const found = runner.sessions.find(invitation.sessionId);
      expectSame("the state of the session", found?.state, "active");
    },
  },
  {
    id: "START-2",
    title: "The body of the start request reaches the bot unchanged",
    reason: "Applications use it to tell the bot who calls and why.",
    exempts: withStart,
    async check(fixture) {
      const scripted = createScriptedBot();
      const runner = await fixture.open(scripted.bot);
      await fixture.call(runner, body);
      const { args } = await firstCall(fixture, scripted);
      expectSame("args.body", args.body, body);
    },
  },
  {
    id: "START-3",
    title: "Each caller without a start request gets a new session",
    reason: "Phone calls and simple clients connect without one.",
    exempts: (adapter) => (walkInOf(adapter) ? undefined : "its callers need a start request"),
    async check(fixture) {
      const scripted = createScriptedBot();
      const runner = await fixture.open(scripted.bot);
      for (const _ of ["first", "second"]) await fixture.connect(runner);
      await fixture.until("both bots' transports exist", () => scripted.calls.length > 1);
      const [first, second] = scripted.calls.map(({ args }) => args.sessionId);
      expect(Boolean(first) && Boolean(second) && first !== second, `the session ids are ${first} and ${second}`);
    },
  },
  {
    id: "START-4",
    title: "An invalid start request gets 400 with JSON and leaves no session",
    reason: "Client authors must learn what is wrong, and a rejected request must cost nothing.",
    async check(fixture) {
      const runner = await fixture.open(createScriptedBot().bot);
      await expectBadStart(fixture, runner, "malformed JSON", '{"transport": ');
      await expectBadStart(fixture, runner, "an array", "[]");
      await expectBadStart(fixture, runner, "a string", '"hello"');
      await expectBadStart(fixture, runner, "an unknown transport", { transport: "carrier-pigeon" });
      await expectBadStart(fixture, runner, "a transport that is not a string", { transport: 7 });
      for (const bad of fixture.adapter.badStarts ?? [])
        await expectBadStart(fixture, runner, JSON.stringify(bad), { transport: fixture.adapter.plugin.name, ...bad });
      expectSame("sessions.counts after invalid start requests", runner.sessions.counts, { pending: 0, active: 0 });
    },
  },
];

async function expectBadStart(fixture: Fixture, runner: Runner, what: string, request: unknown): Promise<void> {
  const answer = await fixture.request(runner, "/start", { method: "POST", body: request });
  expect(answer.status === 400, `a start request with ${what} got ${answer.status} ${answer.text}`);
  expectErrorBody(answer);
}

/** Throws an AssertionError unless the answer is `{detail, code}`, like all errors. */
export function expectErrorBody({ json, text, status }: Answer): void {
  const { detail, code } = (json ?? {}) as { readonly detail?: unknown; readonly code?: unknown };
  expect(typeof detail === "string" && typeof code === "string", `${status} came without {detail, code}: ${text}`);
}
