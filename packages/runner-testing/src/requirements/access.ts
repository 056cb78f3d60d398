import { expect, expectSame } from "../assertions.ts";
import { createScriptedBot } from "../bots.ts";
import { expectRefused, firstCall, invitationOf, listenersOf, type Requirement, walkInOf } from "../fixture.ts";
import { withStart } from "./sessions.ts";

/** At least 16 characters. */
const apiKey = "conformance-suite-api-key";

/** Who may call. */
export const access: readonly Requirement[] = [
  {
    id: "ACCESS-1",
    title: "With `--ws-auth token`, an invitation still admits its caller",
    reason: "A URL that contains the session id instead of a token is refused, so nobody could call.",
    exempts: withStart,
    async check(fixture) {
      const scripted = createScriptedBot();
      const runner = await fixture.open(scripted.bot, { webSocketAuth: "token" });
      await fixture.connect(runner, { start: invitationOf(await fixture.start(runner)) });
      await firstCall(fixture, scripted);
    },
  },
  {
    id: "ACCESS-2",
    title: "With `--ws-auth token`, the session id is not a substitute for the token",
    reason: "Session ids are in logs and headers; tokens are valid once and secret.",
    exempts: withStart,
    async check(fixture) {
      const scripted = createScriptedBot();
      const runner = await fixture.open(scripted.bot, { webSocketAuth: "token" });
      const { sessionId, reply } = invitationOf(await fixture.start(runner));
      const observed = fixture.observed(runner);
      const { credentials, opened } = observed;
      if (credentials.length === 0) {
        const open = [...opened.flatMap(({ sockets = [] }) => sockets), ...listenersOf(observed)];
        expect(open.length === 0, "the plugin has sockets or listeners, but its reply to /start contains no token");
        return; // its callers use HTTP routes or join a room, where tokens do not apply
      }
      let text = JSON.stringify(reply);
      for (const { value } of credentials) text = text.replaceAll(value, sessionId);
      const reason = await expectRefused(
        fixture,
        fixture.connect(runner, { start: { sessionId, reply: JSON.parse(text) } }),
      );
      expectSame(`the number of bots that ran for the bare session id ${reason}`, scripted.calls.length, 0);
    },
  },
  {
    id: "ACCESS-3",
    title: "With an API key, a caller without a start request must send it",
    reason: "Everyone who knows the address could start calls at the operator's expense.",
    exempts(adapter) {
      if (walkInOf(adapter) === "verified") return "it verifies the vendor that sends its callers";
      return walkInOf(adapter) ? undefined : "its callers need a start request";
    },
    async check(fixture) {
      const scripted = createScriptedBot();
      const runner = await fixture.open(scripted.bot, { apiKey });
      await expectRefused(fixture, fixture.connect(runner, { key: undefined }));
      await expectRefused(fixture, fixture.connect(runner, { key: "another-api-key-0123456789" }));
      expect(scripted.calls.length === 0, "a bot ran for a caller without the API key");
      expectSame("sessions.counts after the refusals", runner.sessions.counts, { pending: 0, active: 0 });
      await fixture.connect(runner);
      await firstCall(fixture, scripted);
    },
  },
];
