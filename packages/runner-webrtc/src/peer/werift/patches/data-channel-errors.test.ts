import { expect, test, vi } from "vitest";
import { openCall } from "../../test/peer-fixture.ts";

test("an unreadable data channel message is counted, and the call continues", async () => {
  const { peer, caller, events } = await openCall();
  await vi.waitFor(() => expect(events.channel).toEqual(["open"]));
  // Protocol 50 opens channels (RFC 8832). Message type 2 acknowledges a channel, here one that does not exist.
  await caller.connection.sctpTransport?.sctp.send(77, 50, Buffer.of(2));
  caller.channel?.send("hello");
  await vi.waitFor(() => expect(events.texts).toEqual(["hello"]));
  expect(peer.counters.messagesIgnored).toBe(1);
  expect(peer.state).toBe("connected");
});
