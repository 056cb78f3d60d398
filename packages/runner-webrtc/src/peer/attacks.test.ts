import { describe, expect, onTestFinished, test, vi } from "vitest";
import { createPeerCaller, type PeerCaller } from "./test/peer-caller.ts";
import { type Call, hearEachOther, openCall, openPeer } from "./test/peer-stage.ts";
import {
  chunk,
  createSctpWriter,
  dataChunk,
  first,
  last,
  type SctpWriter,
  sackChunk,
  sctpPacket,
  unordered,
} from "./test/sctp-writer.ts";

/** Sends a datagram as the caller. */
async function sendAs({ connection }: PeerCaller, data: Buffer): Promise<void> {
  await connection.dtlsTransports[0]?.iceTransport.connection.send(data);
}

/** A call with its data channel open, and what writes SCTP as its caller. */
async function openDataCall(): Promise<Call & { readonly sctp: SctpWriter }> {
  const call = await openCall();
  await vi.waitFor(() => expect(call.heard.channel).toEqual(["open"]));
  return { ...call, sctp: createSctpWriter(call.caller.connection) };
}

/** Chunks in packets that a network carries, with a turn of the event loop after each. */
async function sendInPackets(sctp: SctpWriter, chunks: readonly Buffer[]): Promise<void> {
  for (let sent = 0; sent < chunks.length; sent += 40) {
    await sctp.send(sctp.packet(...chunks.slice(sent, sent + 40)));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("datagrams", () => {
  test("media whose header says that it goes on for ever is not read", async () => {
    const call = await openCall();
    await hearEachOther(call);
    const began = performance.now();
    await sendAs(
      call.caller,
      Buffer.concat([Buffer.from("906f00010000000000000001bedeffff", "hex"), Buffer.alloc(20)]),
    );
    await vi.waitFor(() => expect(call.peer.counters.datagramsIgnored).toBe(1));
    await hearEachOther(call);
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  test("no room is made for messages of a handshake that no handshake has", async () => {
    const call = await openCall();
    const allocate = vi.spyOn(Buffer, "alloc");
    onTestFinished(() => allocate.mockRestore());
    // A certificate of 16 MiB: one that says it is whole, and one in two parts (RFC 6347, section 4.2.2).
    for (const part of ["ffffff0009000000ffffff", "ffffff0009000000000001", "ffffff0009fffffe000001"])
      await sendAs(
        call.caller,
        Buffer.concat([Buffer.from(`16fefd0000000000000001000d0b${part}`, "hex"), Buffer.alloc(1)]),
      );
    await hearEachOther(call);
    expect(Math.max(...allocate.mock.calls.map(([size]) => size))).toBeLessThan(65_536);
  });
});

describe("SCTP", () => {
  test("packets that cannot be read to their end are counted, and the call goes on", async () => {
    const { peer, caller, heard, sctp } = await openDataCall();
    const before = peer.counters.messagesIgnored;
    await sctp.send(sctpPacket(0, chunk(11, 0, Buffer.alloc(0), 0)));
    await sctp.send(sctp.packet(chunk(4, 0, Buffer.from("00010000", "hex"))));
    await sctp.send(sctp.packet(sackChunk(0, Array(300).fill([0, 65_535]))));
    caller.channel?.send("hello");
    await vi.waitFor(() => expect(heard.texts).toEqual(["hello"]));
    expect(peer.counters.messagesIgnored - before).toBe(3);
  });

  test("what waits for a chunk that got lost is read once that has come, in order", async () => {
    const { heard, caller, sctp } = await openDataCall();
    const stream = caller.channel?.id ?? 0;
    const texts = Array.from({ length: 900 }, (_, index) => String(index));
    // The channel's own opening was the first on its stream.
    const chunks = texts.map((content, index) =>
      dataChunk({ tsn: sctp.nextTsn + index, stream, sequence: index + 1, content }),
    );
    await sendInPackets(sctp, chunks.slice(1));
    await sendInPackets(sctp, chunks.slice(10, 20));
    expect(heard.texts).toEqual([]);
    await sendInPackets(sctp, chunks.slice(0, 1));
    await vi.waitFor(() => expect(heard.texts).toEqual(texts));
  });

  test.each([
    ["nine digits become ten", 999_999_990],
    ["32 bits come round", 2 ** 32 - 10],
  ])("a chunk that got lost just where numbers of %s is waited for no longer than it takes", async (_, localTsn) => {
    const { peer, heard } = openPeer();
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
    await vi.waitFor(() => expect(heard.channel).toEqual(["open"]));
    const sctp = createSctpWriter(caller.connection);
    const chunks = Array.from({ length: 1_200 }, (_, index) =>
      dataChunk({ tsn: (sctp.nextTsn + index) % 2 ** 32, stream: caller.channel?.id ?? 0, sequence: index + 1 }),
    );
    await sendInPackets(sctp, [...chunks.slice(1, 20), ...chunks.slice(0, 1), ...chunks.slice(20)]);
    await vi.waitFor(() => expect(heard.texts).toHaveLength(1_200));
    expect(peer.state).toBe("connected");
  });

  test.each([
    ["chunks of which the first never comes", { flags: first | last | unordered }, 1, 0],
    ["messages that never end", { flags: first }, 0, 0],
    ["messages that never begin", { flags: unordered }, 0, 0],
    ["streams by the dozen", {}, 0, 1],
  ])("a caller with too many %s is let go, at no cost to others", async (_, kind, skipped, streams) => {
    const { peer, sctp } = await openDataCall();
    const chunks = Array.from({ length: 4_000 }, (_, index) =>
      dataChunk({ tsn: sctp.nextTsn + skipped + index, stream: 10 + streams * index, ...kind }),
    );
    const began = performance.now();
    await sendInPackets(sctp, chunks);
    await vi.waitFor(() => expect(peer.state).toBe("closed"));
    expect(performance.now() - began).toBeLessThan(3_000);
  });

  test("a caller may open sixteen data channels, whether or not it closes them, and not one more", async () => {
    const { peer, caller, heard } = await openDataCall();
    for (let count = 2; count <= 16; count++) {
      const channel = caller.connection.createDataChannel(`channel ${count}`);
      await vi.waitFor(() => expect(channel.readyState).toBe("open"));
      channel.close();
      await vi.waitFor(() => expect(channel.readyState).toBe("closed"));
    }
    caller.channel?.send("hello");
    await vi.waitFor(() => expect(peer.heard).toBeGreaterThan(0));
    expect(peer.state).toBe("connected");
    caller.connection.createDataChannel("channel 17");
    await vi.waitFor(() => expect(peer.state).toBe("closed"));
    expect(heard.channel.at(-1)).toBe("closed");
  });
});

describe("a data channel that comes with a later offer", () => {
  /** The engine leaves what it cannot read unhandled: nothing of it may be left to it. */
  async function expectGuarded({ peer, caller, heard }: Call, say: (text: string) => void): Promise<void> {
    await vi.waitFor(() => expect(heard.channel).toEqual(["open"]));
    const before = peer.counters.messagesIgnored;
    for (let count = 0; count < 20; count++)
      await caller.connection.dtlsTransports[0]?.sendData(Buffer.alloc(40, count));
    say("hello");
    await vi.waitFor(() => expect(heard.texts).toEqual(["hello"]));
    expect(peer.counters.messagesIgnored - before).toBe(20);
  }

  test("is guarded where the first offer had none", async () => {
    const call = await openCall({}, { dataChannel: false });
    const late = call.caller.connection.createDataChannel("late");
    await call.caller.accept(await call.peer.answer(await call.caller.offer()));
    await expectGuarded(call, (text) => void late.send(text));
    await hearEachOther(call);
  });

  test("is guarded where the first offer had it on a way of its own", async () => {
    const { peer, heard } = openPeer();
    const caller = createPeerCaller();
    onTestFinished(() => caller.close());
    await peer.answer((await caller.offer()).replace(/a=group.*\r\n/, ""));
    await caller.accept(await peer.answer(await caller.offer()));
    await expectGuarded({ peer, caller, heard }, (text) => void caller.channel?.send(text));
    await hearEachOther({ peer, caller, heard });
  });
});
