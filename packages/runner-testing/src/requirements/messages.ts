import { setTimeout as sleep } from "node:timers/promises";
import { isRunnerError } from "@pipecat-ts/runner-core";
import type { TransportAdapter } from "../adapter.ts";
import { expect, expectSame } from "../assertions.ts";
import { connectBot, createScriptedBot } from "../bots.ts";
import { firstCall, type Requirement } from "../fixture.ts";

const sent = [
  { label: "conformance", type: "first", data: { text: "Grüße, 世界 🙂", list: [1, null, true] } },
  { label: "conformance", type: "second" },
];
const withMessages = ({ messages }: TransportAdapter) => (messages === false ? "it carries no messages" : undefined);

/** App messages, which RTVI and applications send beside the audio. */
export const messages: readonly Requirement[] = [
  {
    id: "MESSAGE-IN-1",
    title: "The caller's messages reach the bot unchanged, once and in order, also those sent before the bot connects",
    reason: "Typed text, button presses and the client's handshake are messages.",
    exempts: withMessages,
    async check(fixture) {
      const received: unknown[] = [];
      const release = Promise.withResolvers<void>();
      const runner = await fixture.open(async (args) => {
        if (!fixture.adapter.startsBot) await release.promise;
        const transport = await connectBot(args);
        transport.on("appMessage", (message) => received.push(message));
        await transport.closed;
      });
      const caller = await fixture.call(runner);
      caller.sendMessage?.(sent[0]);
      await sleep(100); // until the server has the first
      release.resolve();
      caller.sendMessage?.(sent[1]);
      await fixture.until("the bot gets both messages", () => received.length >= sent.length);
      await untilRepeated();
      expectSame("what the bot got", received, sent);
    },
  },
  {
    id: "MESSAGE-OUT-1",
    title: "The bot's messages reach the caller unchanged, once and in order",
    reason: "Transcripts and everything else that a client shows are messages.",
    exempts: withMessages,
    async check(fixture) {
      const scripted = createScriptedBot();
      const caller = await fixture.call(await fixture.open(scripted.bot));
      const { transport } = await firstCall(fixture, scripted);
      for (const message of sent) await fixture.within("sendMessage resolves", transport.sendMessage(message));
      const received = () => (caller.messages ?? []).filter(isOurs);
      await fixture.until("the caller gets both messages", () => received().length >= sent.length);
      await untilRepeated();
      expectSame("what the caller got", received(), sent);
    },
  },
  {
    id: "MESSAGE-NONE-1",
    title: "`sendMessage` rejects where messages are unsupported, and an unhandled rejection is harmless",
    reason: "The same bot runs on every transport, also on those that carry audio only.",
    exempts: ({ messages }) => (messages === false ? undefined : "it carries messages"),
    async check(fixture) {
      const scripted = createScriptedBot();
      await fixture.call(await fixture.open(scripted.bot));
      const { transport } = await firstCall(fixture, scripted);
      void transport.sendMessage(sent[0]);
      const rejection = transport.sendMessage(sent[1]).then(() => "nothing", codeOf);
      const code = await fixture.within("sendMessage settles", rejection);
      expectSame("the code of the rejection", code, "MESSAGES_UNSUPPORTED");
      await sleep(0); // Node reports unhandled rejections when the promises have settled
      const unhandled = fixture.uncaught.take((error) => codeOf(error) === "MESSAGES_UNSUPPORTED");
      expect(unhandled.length === 0, "the unhandled rejection would have stopped the server");
    },
  },
];

/**
 * A message that arrives twice does so within 100 ms. Waits in steps: after one long wait in a process that is late, the repetition would
 * be due at the same time.
 */
async function untilRepeated(): Promise<void> {
  for (let step = 0; step < 5; step++) await sleep(20);
}

function codeOf(error: unknown): string {
  return isRunnerError(error) ? error.code : String(error);
}

function isOurs(message: unknown): boolean {
  return (message as { readonly label?: unknown } | null)?.label === "conformance";
}
