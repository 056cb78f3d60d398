import { expect, onTestFinished, test } from "vitest";
import { connectCaller } from "./caller.ts";
import { optionsOfShape } from "./peer/test/client-shape.ts";
import { clientOffers } from "./peer/test/offers.ts";
import { type BotCall, hearEcho, openFixture } from "./test/fixture.ts";

/** What clients add to their offers, by their sources: see `offers.ts`. */
const fields: Readonly<Record<string, object>> = {
  Android: { pc_id: null, restart_pc: false, request_data: {} },
  iOS: { pc_id: undefined, restart_pc: false },
  ESP32: { pc_id: undefined, restart_pc: undefined },
};

/** Returns the caller's audio, and its texts. */
async function echoBot({ transport }: BotCall): Promise<void> {
  transport.on("appMessage", (message) => {
    const { type, data } = message as { readonly type: string; readonly data: unknown };
    if (type === "send-text") void transport.sendMessage({ label: "rtvi-ai", type: "server-message", data });
  });
  await transport.input.pipeTo(transport.output);
}

test.each(Object.entries(clientOffers))(
  "a caller with the offer of %s hears its own voice, and exchanges messages with its bot",
  async (name, shape) => {
    const { runner, calls } = await openFixture(echoBot);
    const endpoint = new URL("/api/offer", runner.url);
    const caller = await connectCaller(endpoint, { ...fields[name] }, undefined, optionsOfShape(shape));
    onTestFinished(() => caller.drop());
    await hearEcho(caller, 440);
    expect(calls).toHaveLength(1);
    if (caller.peer.channel === undefined) return;
    function send(type: string, data: object): void {
      const message = JSON.stringify({ label: "rtvi-ai", type, id: "1", data });
      // The iOS client sends binary messages only.
      caller.sendRaw?.(name === "iOS" ? Buffer.from(message) : message);
    }
    send("client-ready", { version: "2.0.0", about: { library: name, library_version: "1.0.0" } });
    send("send-text", { content: "good morning" });
    await expect.poll(() => caller.messages).toContainEqual(expect.objectContaining({ type: "bot-ready", id: "1" }));
    await expect
      .poll(() => caller.messages)
      .toContainEqual(expect.objectContaining({ data: { content: "good morning" } }));
  },
);
