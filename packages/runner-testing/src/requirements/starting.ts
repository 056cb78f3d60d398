import type { Runner } from "@pipecat-ts/runner-host";
import type { TransportAdapter } from "../adapter.ts";
import { createPuppet } from "../bots.ts";
import { type Answer, send } from "../http.ts";
import type { Requirement } from "../requirement.ts";
import { invitationOf } from "../stage.ts";
import { expect, expectSame } from "../unmet.ts";
import { firstCall } from "./outcome.ts";

const body = { text: "Grüße, 世界 🙂", list: [1, null, true, { deep: [] }] };
const withoutStart = ({ start }: TransportAdapter) => (start === false ? "it has no start request" : undefined);

/** How a session begins. */
export const starting: readonly Requirement[] = [
  {
    id: "START-1",
    title: "The bot sees the session id that /start answered, and its transport's name",
    reason: "An application that started a bot could not tell which of its bots the log lines and requests are about.",
    exempts: withoutStart,
    async check(stage) {
      const puppet = createPuppet();
      const runner = await stage.open(puppet.bot);
      const invitation = invitationOf(await stage.start(runner));
      await stage.connect(runner, invitation);
      const { args, transport } = await firstCall(stage, puppet);
      expectSame("args.sessionId", args.sessionId, invitation.sessionId);
      expectSame("args.transport", args.transport, stage.adapter.plugin.name);
      expectSame("transport.name", transport.name, stage.adapter.plugin.name);
      expect(!args.signal.aborted, "args.signal is aborted while the caller is there");
      const found = runner.sessions.find(invitation.sessionId);
      expectSame("the state of the session", found?.state, "active");
    },
  },
  {
    id: "START-2",
    title: "The body of the start request reaches the bot as it was sent",
    reason: "Applications tell the bot by it who calls and what about.",
    exempts: withoutStart,
    async check(stage) {
      const puppet = createPuppet();
      const runner = await stage.open(puppet.bot);
      await stage.call(runner, body);
      const { args } = await firstCall(stage, puppet);
      expectSame("args.body", args.body, body);
    },
  },
  {
    id: "START-3",
    title: "A caller who comes without a start request gets a session of their own",
    reason: "Phone calls and simple clients come without one.",
    exempts: ({ start, walkIn }) => (walkIn || start === false ? undefined : "its callers are started first"),
    async check(stage) {
      const puppet = createPuppet();
      const runner = await stage.open(puppet.bot);
      for (const _ of ["first", "second"]) await stage.connect(runner);
      await stage.until("both bots' transports are there", () => puppet.calls.length > 1);
      const [first, second] = puppet.calls.map(({ args }) => args.sessionId);
      expect(Boolean(first) && Boolean(second) && first !== second, `the session ids are ${first} and ${second}`);
    },
  },
  {
    id: "START-4",
    title: "A bad start request is refused with 400 and JSON, and leaves no session",
    reason: "Whoever wrote the client must learn what is wrong with it; a refused request must cost nothing.",
    async check(stage) {
      const runner = await stage.open(createPuppet().bot);
      await refused(runner, "malformed JSON", '{"transport": ');
      await refused(runner, "a list", "[]");
      await refused(runner, "a text", '"hello"');
      await refused(runner, "an unknown transport", { transport: "carrier-pigeon" });
      await refused(runner, "a transport that is no name", { transport: 7 });
      for (const bad of stage.adapter.badStarts ?? [])
        await refused(runner, JSON.stringify(bad), { transport: stage.adapter.plugin.name, ...bad });
      expectSame("sessions.counts after bad starts", runner.sessions.counts, { pending: 0, active: 0 });
    },
  },
  {
    id: "START-5",
    title: "An invitation also lets its caller in where sockets are opened by token only",
    reason: "A URL with the session's bare id is refused there, so that nobody could call.",
    exempts: withoutStart,
    async check(stage) {
      const puppet = createPuppet();
      const runner = await stage.open(puppet.bot, { webSocketAuth: "token" });
      await stage.connect(runner, invitationOf(await stage.start(runner)));
      await firstCall(stage, puppet);
    },
  },
];

async function refused(runner: Runner, what: string, request: unknown): Promise<void> {
  const answer = await send(new URL("/start", runner.url), {
    method: "POST",
    body: request,
    headers: { "content-type": "application/json" },
  });
  expect(answer.status === 400, `a start request with ${what} was answered ${answer.status} ${answer.text}`);
  expectErrorBody(answer);
}

/** Throws Unmet unless the answer is the JSON that every error is answered with. */
export function expectErrorBody({ json, text, status }: Answer): void {
  const { detail, code } = (json ?? {}) as { readonly detail?: unknown; readonly code?: unknown };
  expect(
    typeof detail === "string" && typeof code === "string",
    `${status} was answered without {detail, code}: ${text}`,
  );
}
