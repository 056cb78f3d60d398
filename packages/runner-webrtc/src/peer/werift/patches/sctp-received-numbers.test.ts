import { expect, onTestFinished, test, vi } from "vitest";
import { openPeer } from "../../test/peer-fixture.ts";
import { createPeerCaller } from "../peer-caller.ts";
import { createSctpWriter, dataChunk, openSctpCall } from "../test/sctp-writer.ts";

test("messages behind a lost chunk arrive in order once it is repeated", async () => {
  const { events, caller, sctp } = await openSctpCall();
  const stream = caller.channel?.id ?? 0;
  const texts = Array.from({ length: 900 }, (_, index) => String(index));
  // Sequence number 0 of the stream opened the channel.
  const chunks = texts.map((content, index) =>
    dataChunk({ tsn: sctp.nextTsn + index, stream, sequence: index + 1, content }),
  );
  await sctp.sendChunks(chunks.slice(1));
  await sctp.sendChunks(chunks.slice(10, 20));
  expect(events.texts).toEqual([]);
  await sctp.sendChunks(chunks.slice(0, 1));
  await vi.waitFor(() => expect(events.texts).toEqual(texts));
});

test.each([
  ["get a tenth digit", 999_999_990],
  ["wrap at 32 bits", 2 ** 32 - 10],
])("a chunk that was lost where numbers %s delays nothing once it is repeated", async (_, localTsn) => {
  const { peer, events } = openPeer();
  const caller = createPeerCaller();
  onTestFinished(() => caller.close());
  const answer = await peer.answer(await caller.offer());
  const lastSackedTsn = localTsn - 1;
  Object.assign(caller.connection.sctpTransport?.sctp ?? {}, {
    localTsn,
    lastSackedTsn,
    advancedPeerAckTsn: lastSackedTsn,
  });
  await caller.accept(answer);
  await vi.waitFor(() => expect(events.channel).toEqual(["open"]));
  const sctp = createSctpWriter(caller.connection);
  const chunks = Array.from({ length: 1_200 }, (_, index) =>
    dataChunk({ tsn: (sctp.nextTsn + index) % 2 ** 32, stream: caller.channel?.id ?? 0, sequence: index + 1 }),
  );
  await sctp.sendChunks([...chunks.slice(1, 20), ...chunks.slice(0, 1), ...chunks.slice(20)]);
  await vi.waitFor(() => expect(events.texts).toHaveLength(1_200));
  expect(peer.state).toBe("connected");
});
