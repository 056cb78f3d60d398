import { describe, expect, onTestFinished, test, vi } from "vitest";
import { type Call, exchangeAudio, openCall, openPeer } from "../../test/peer-fixture.ts";
import { createPeerCaller } from "../test/peer-caller.ts";
import { chunk, dataChunk, first, last, openSctpCall, sackChunk, sctpPacket, unordered } from "../test/sctp-writer.ts";

test("packets that would loop or fail are counted, and the call continues", async () => {
  const { peer, caller, events, sctp } = await openSctpCall();
  const before = peer.counters.messagesIgnored;
  await sctp.send(sctpPacket(0, chunk(11, 0, Buffer.alloc(0), 0)));
  await sctp.send(sctp.packet(chunk(4, 0, Buffer.from("00010000", "hex"))));
  await sctp.send(sctp.packet(sackChunk(0, Array(300).fill([0, 65_535]))));
  await sctp.send(Buffer.alloc(12)); // wrong checksum
  caller.channel?.send("hello");
  await vi.waitFor(() => expect(events.texts).toEqual(["hello"]));
  expect(peer.counters.messagesIgnored - before).toBe(4);
});

test.each([
  ["chunks without the first one", { flags: first | last | unordered }, 1, 0],
  ["messages without an end", { flags: first }, 0, 0],
  ["messages without a beginning", { flags: unordered }, 0, 0],
  ["streams", {}, 0, 1],
])("a caller that sends 4,000 %s is disconnected within 3 s", async (_, kind, skipped, streams) => {
  const { peer, sctp } = await openSctpCall();
  const chunks = Array.from({ length: 4_000 }, (_, index) =>
    dataChunk({ tsn: sctp.nextTsn + skipped + index, stream: 10 + streams * index, ...kind }),
  );
  const start = performance.now();
  await sctp.sendChunks(chunks);
  await vi.waitFor(() => expect(peer.state).toBe("closed"));
  expect(performance.now() - start).toBeLessThan(3_000);
});

describe("a data channel of a later offer", () => {
  async function expectGuarded({ peer, caller, events }: Call, say: (text: string) => void): Promise<void> {
    await vi.waitFor(() => expect(events.channel).toEqual(["open"]));
    const before = peer.counters.messagesIgnored;
    for (let count = 0; count < 20; count++)
      await caller.connection.dtlsTransports[0]?.sendData(Buffer.alloc(40, count));
    say("hello");
    await vi.waitFor(() => expect(events.texts).toEqual(["hello"]));
    expect(peer.counters.messagesIgnored - before).toBe(20);
  }

  test("is guarded if the first offer had none", async () => {
    const call = await openCall({}, { dataChannel: false });
    const late = call.caller.connection.createDataChannel("late");
    await call.caller.accept(await call.peer.answer(await call.caller.offer()));
    await expectGuarded(call, (text) => void late.send(text));
    await exchangeAudio(call);
  });

  test("is guarded if the first offer had it on a transport of its own", async () => {
    const { peer, events } = openPeer();
    const caller = createPeerCaller();
    onTestFinished(() => caller.close());
    await peer.answer((await caller.offer()).replace(/a=group.*\r\n/, ""));
    await caller.accept(await peer.answer(await caller.offer()));
    await expectGuarded({ peer, caller, events }, (text) => void caller.channel?.send(text));
    await exchangeAudio({ peer, caller, events });
  });
});
