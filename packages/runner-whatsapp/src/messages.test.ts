import { expect, test } from "vitest";
import { recogniseCallEvents } from "./messages.ts";
import { business, connectOf, numbers, terminateOf, webhookOf } from "./test/webhooks.ts";

const { phoneNumberId } = business;

test("a call that somebody makes, and one that is over", () => {
  expect(recogniseCallEvents(connectOf("wacid.1", "v=0"))).toEqual([
    {
      kind: "connect",
      callId: "wacid.1",
      phoneNumberId,
      sdp: "v=0",
      callerName: "Ada",
      call: expect.objectContaining({ id: "wacid.1", from: numbers.caller, timestamp: "1671644824" }),
    },
  ]);
  expect(recogniseCallEvents(terminateOf("wacid.1"))).toEqual([
    { kind: "terminate", callId: "wacid.1", phoneNumberId },
  ]);
});

test("several in one webhook, in their order", () => {
  const [first, second] = [connectOf("wacid.1", "v=0"), terminateOf("wacid.2")] as { entry: unknown[] }[];
  const both = {
    object: "whatsapp_business_account",
    entry: [...(first?.entry ?? []), null, ...(second?.entry ?? [])],
  };
  expect(recogniseCallEvents(both)).toEqual([]);
  const sound = { ...both, entry: both.entry.filter((entry) => entry !== null) };
  expect(recogniseCallEvents(sound).map(({ callId }) => callId)).toEqual(["wacid.1", "wacid.2"]);
});

test("what a call lacks may be null, and a nameless caller is nameless", () => {
  const call = {
    id: "wacid.1",
    from: "1",
    to: "2",
    event: "connect",
    direction: null,
    session: { sdp: "", sdp_type: "offer" },
  };
  for (const contacts of [undefined, [], [{ wa_id: "another", profile: { name: "Eve" } }], [7], [{ wa_id: "1" }]])
    expect(recogniseCallEvents(webhookOf(call, { contacts }))).toEqual([
      expect.objectContaining({ callId: "wacid.1", callerName: undefined }),
    ]);
});

test.each([
  ["a call without an offer", { id: "wacid.1", from: "1", to: "2", event: "connect" }],
  ["an answer", { id: "wacid.1", from: "1", to: "2", event: "connect", session: { sdp: "", sdp_type: "answer" } }],
  ["a call without an id", { from: "1", to: "2", event: "terminate" }],
  ["an id without end", { id: "x".repeat(2_000), event: "terminate" }],
  ["an unknown event", { id: "wacid.1", event: "hold" }],
  ["no object", 7],
])("%s is left out", (_, call) => {
  expect(recogniseCallEvents(webhookOf(call as Record<string, unknown>))).toEqual([]);
});
