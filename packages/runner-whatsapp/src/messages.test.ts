import { expect, test } from "vitest";
import { parseCallEvents } from "./messages.ts";
import { business, connectOf, numbers, terminateOf, userId, webhookOf } from "./test/webhooks.ts";

const { phoneNumberId } = business;
const offer = (sdp: string) => ({ sdp, sdp_type: "offer" });

test("parses the begin and the end of a call", () => {
  expect(parseCallEvents(connectOf("wacid.1", "v=0"))).toEqual([
    {
      kind: "connect",
      callId: "wacid.1",
      phoneNumberId,
      sdp: "v=0",
      callerName: "Ada",
      call: expect.objectContaining({ id: "wacid.1", from: numbers.caller, timestamp: "1671644824" }),
    },
  ]);
  expect(parseCallEvents(terminateOf("wacid.1"))).toEqual([{ kind: "terminate", callId: "wacid.1", phoneNumberId }]);
});

test("parses several events in one webhook, in order", () => {
  const [first, second] = [connectOf("wacid.1", "v=0"), terminateOf("wacid.2")] as { entry: unknown[] }[];
  const both = {
    object: "whatsapp_business_account",
    entry: [...(first?.entry ?? []), null, ...(second?.entry ?? [])],
  };
  expect(parseCallEvents(both)).toEqual([]);
  const valid = { ...both, entry: both.entry.filter((entry) => entry !== null) };
  expect(parseCallEvents(valid)).toMatchObject([{ callId: "wacid.1" }, { callId: "wacid.2" }]);
});

test("optional fields may be null, and the caller's name may be missing", () => {
  const call = {
    id: "wacid.1",
    from: "1",
    to: "2",
    event: "connect",
    direction: null,
    session: { sdp: "", sdp_type: "offer" },
  };
  for (const contacts of [undefined, [], [{ wa_id: "another", profile: { name: "Eve" } }], [7], [{ wa_id: "1" }]])
    expect(parseCallEvents(webhookOf(call, { contacts }))).toEqual([
      expect.objectContaining({ callId: "wacid.1", callerName: undefined }),
    ]);
});

test.each([
  [{}, {}],
  [{ from: null }, { wa_id: null }],
  [{ from: "" }, { wa_id: "" }],
])("parses a call from a caller with a username: %j", (noNumber, noId) => {
  const user = { from_user_id: userId, from_parent_user_id: "US.ENT.11815799212886844830" };
  const call = { id: "wacid.1", ...noNumber, ...user, to: "2", event: "connect", session: offer("v=0") };
  const contacts = [
    { ...noId, user_id: "US.2", profile: { name: "Eve" } },
    { ...noId, user_id: userId, profile: { name: "Ada", username: "@ada" } },
  ];
  expect(parseCallEvents(webhookOf(call, { contacts }))).toMatchObject([{ kind: "connect", callerName: "Ada", call }]);
});

test("of several contacts with one number, the first counts", () => {
  const call = { id: "wacid.1", from: "1", to: "2", event: "connect", session: offer("v=0") };
  const contacts = ["Ada", "Eve"].map((name) => ({ wa_id: "1", profile: { name } }));
  expect(parseCallEvents(webhookOf(call, { contacts }))).toMatchObject([{ callerName: "Ada" }]);
});

test("rejects more than 1,000 changes, or calls and contacts", () => {
  const call = { id: "wacid.1", event: "terminate" };
  const calls = (length: number) => webhookOf(call, { calls: Array(length).fill(call) });
  expect(parseCallEvents(calls(999))).toHaveLength(999);
  const tooMany = expect.objectContaining({ code: "BODY_INVALID" });
  expect(() => parseCallEvents(calls(1_000))).toThrow(tooMany);
  const changes = Array(1_001).fill(0);
  expect(() => parseCallEvents({ object: "whatsapp_business_account", entry: [{ changes }] })).toThrow(tooMany);
});

test.each([
  ["a call without an offer", { id: "wacid.1", from: "1", to: "2", event: "connect" }],
  ["an answer", { id: "wacid.1", from: "1", to: "2", event: "connect", session: { sdp: "", sdp_type: "answer" } }],
  ["a call without an id", { from: "1", to: "2", event: "terminate" }],
  ["a very long id", { id: "x".repeat(2_000), event: "terminate" }],
  ["a very long number", { id: "wacid.1", from: "1".repeat(65), to: "2", event: "connect", session: offer("v=0") }],
  ["a very long offer", { id: "wacid.1", from: "1", to: "2", event: "connect", session: offer("v".repeat(65_537)) }],
  ["an unknown event", { id: "wacid.1", event: "hold" }],
  ["a number instead of an object", 7],
])("reports %s as unreadable", (_, call) => {
  expect(parseCallEvents(webhookOf(call as Record<string, unknown>))).toEqual([{ kind: "unreadable", phoneNumberId }]);
});

test("ignores the answer to a call that the business makes", () => {
  const call = { id: "wacid.1", event: "connect", session: { sdp: "v=0", sdp_type: "answer" } };
  expect(parseCallEvents(webhookOf({ ...call, direction: "BUSINESS_INITIATED" }))).toEqual([]);
});
