import dns from "node:dns";
import { expect, onTestFinished, test, vi } from "vitest";
import { createPeerCaller } from "./peer-caller.ts";

test.each([
  ["without servers asks nobody for its address", [], []],
  ["asks its STUN server only", [{ urls: ["stun:stun.test:3478"] }], ["stun.test"]],
])("a caller %s", async (_, iceServers, expected) => {
  const lookup = vi.spyOn(dns.promises, "lookup").mockRejectedValue(new Error("This test has no DNS."));
  onTestFinished(() => lookup.mockRestore());
  const caller = createPeerCaller({ iceServers });
  onTestFinished(() => caller.close());
  await caller.offer();
  expect([...new Set(lookup.mock.calls.map(([host]) => host))]).toEqual(expected);
});
