import { expect, test, vi } from "vitest";
import { openCall } from "./test/peer-stage.ts";

/** What IPv6 and UDP leave of a datagram on the narrowest path that IPv6 has (RFC 8200, section 5: 1,280 bytes). */
const narrowestBytes = 1_280 - 40 - 8;

test("a long message comes whole, in datagrams that fit every path", async () => {
  const { peer, caller, heard } = await openCall();
  await vi.waitFor(() => expect(heard.channel).toEqual(["open"]));
  const sizes: number[] = [];
  caller.onDatagram(({ length }) => sizes.push(length));
  const text = "x".repeat(60_000);
  peer.sendText(text);
  await vi.waitFor(() => expect(caller.texts).toEqual([text]), { timeout: 4_000 });
  expect(sizes.length).toBeGreaterThan(50);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(narrowestBytes);
});
