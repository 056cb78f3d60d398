import { expect, onTestFinished, test, vi } from "vitest";
import { openPeer } from "../../test/peer-fixture.ts";
import { createPeerCaller } from "../peer-caller.ts";

test.each(["active", "passive"])("no two DTLS records have the same number, with setup:%s", async (setup) => {
  const { peer } = openPeer();
  const caller = createPeerCaller();
  onTestFinished(() => caller.close());
  const offer = await caller.offer();
  const records = new Map<string, string>();
  const repeated: string[] = [];
  caller.onDatagram((bytes) => {
    // An encrypted DTLS record: type, version, epoch, number (RFC 6347, section 4.1).
    if ((bytes[0] ?? 0) < 20 || (bytes[0] ?? 0) > 63 || bytes.readUInt16BE(3) !== 1) return;
    const number = bytes.toString("hex", 5, 11);
    const record = bytes.toString("hex");
    if ((records.get(number) ?? record) !== record) repeated.push(number);
    records.set(number, record);
  });
  await caller.accept(await peer.answer(offer.replaceAll("a=setup:actpass", `a=setup:${setup}`)));
  await caller.connected(4_000);
  for (let count = 0; count < 20; count++) peer.sendText(String(count));
  await vi.waitFor(() => expect(caller.texts).toHaveLength(20));
  expect(repeated).toEqual([]);
});
