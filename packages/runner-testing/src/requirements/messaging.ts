import { setTimeout as sleep } from "node:timers/promises";
import { isRunnerError } from "@pipecat-ts/runner-core";
import type { TransportAdapter } from "../adapter.ts";
import { createPuppet } from "../bots.ts";
import type { Requirement } from "../requirement.ts";
import { expect, expectSame } from "../unmet.ts";
import { firstCall } from "./outcome.ts";

const messages = [
  { label: "conformance", type: "first", data: { text: "Grüße, 世界 🙂", list: [1, null, true] } },
  { label: "conformance", type: "second" },
];
const withMessages = ({ messages }: TransportAdapter) => (messages === false ? "it carries no messages" : undefined);

/** App messages: what RTVI and applications send beside the audio. */
export const messaging: readonly Requirement[] = [
  {
    id: "MESSAGE-IN-1",
    title: "The caller's messages reach the bot, whole and in order",
    reason: "Typed text, button presses and the client's handshake travel as messages.",
    exempts: withMessages,
    async check(stage) {
      const seen: unknown[] = [];
      const puppet = createPuppet();
      const caller = await stage.call(await stage.open(puppet.bot));
      for (const message of messages) caller.sendMessage?.(message);
      const { transport } = await firstCall(stage, puppet);
      transport.on("appMessage", (message) => seen.push(message));
      await stage.until("the bot gets both messages", () => seen.length >= messages.length);
      expectSame("what the bot got", seen, messages);
    },
  },
  {
    id: "MESSAGE-OUT-1",
    title: "The bot's messages reach the caller, whole and in order",
    reason: "Transcripts and every other thing a client shows travel as messages.",
    exempts: withMessages,
    async check(stage) {
      const puppet = createPuppet();
      const caller = await stage.call(await stage.open(puppet.bot));
      const { transport } = await firstCall(stage, puppet);
      for (const message of messages) await stage.within("sendMessage resolves", transport.sendMessage(message));
      const seen = () => (caller.messages ?? []).filter(isOurs);
      await stage.until("the caller gets both messages", () => seen().length >= messages.length);
      expectSame("what the caller got", seen(), messages);
    },
  },
  {
    id: "MESSAGE-NONE-1",
    title: "A message that cannot be sent is refused, and a bot that does not look is not harmed",
    reason: "The same bot runs on every transport, also on those that carry audio alone.",
    exempts: ({ messages }) => (messages === false ? undefined : "it carries messages"),
    async check(stage) {
      const puppet = createPuppet();
      await stage.call(await stage.open(puppet.bot));
      const { transport } = await firstCall(stage, puppet);
      void transport.sendMessage(messages[0]);
      const refusal = transport.sendMessage(messages[1]).then(() => "nothing", codeOf);
      const code = await stage.within("sendMessage settles", refusal);
      expectSame("what sendMessage rejects with", code, "MESSAGES_UNSUPPORTED");
      await sleep(0); // unhandled rejections are told once the promises have settled
      const strays = stage.strays.claim((error) => codeOf(error) === "MESSAGES_UNSUPPORTED");
      expect(strays.length === 0, "the rejection that the bot did not look at would have stopped the server");
    },
  },
];

function codeOf(error: unknown): string {
  return isRunnerError(error) ? error.code : String(error);
}

function isOurs(message: unknown): boolean {
  return (message as { readonly label?: unknown } | null)?.label === "conformance";
}
