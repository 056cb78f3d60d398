import { expect, onTestFinished, test } from "vitest";
import { clientOffers } from "./peer/test/offers.ts";
import { connectCaller } from "./test/fake-caller.ts";
import { hearEcho, openFixture } from "./test/fixture.ts";

/** What clients add to their offers, by their sources: see `offers.ts`. */
const fields: Readonly<Record<string, object>> = {
  Android: { pc_id: null, restart_pc: false, request_data: {} },
  iOS: { pc_id: undefined, restart_pc: false },
  ESP32: { pc_id: undefined, restart_pc: undefined },
};

test.each(Object.entries(clientOffers))(
  "a caller with the offer of %s hears its own voice, and its bot is ready",
  async (name, shape) => {
    const { runner, calls } = await openFixture();
    const endpoint = new URL("/api/offer", runner.url);
    const caller = await connectCaller(endpoint, { ...fields[name] }, undefined, { shape });
    onTestFinished(() => caller.drop());
    await hearEcho(caller, 440);
    expect(calls).toHaveLength(1);
    if (caller.peer.channel === undefined) return;
    const about = { library: name, library_version: "1.0.0" };
    const ready = JSON.stringify({
      label: "rtvi-ai",
      type: "client-ready",
      id: "1",
      data: { version: "2.0.0", about },
    });
    // The iOS client sends binary messages only.
    caller.sendRaw?.(name === "iOS" ? Buffer.from(ready) : ready);
    await expect.poll(() => caller.messages).toContainEqual(expect.objectContaining({ type: "bot-ready", id: "1" }));
  },
);
