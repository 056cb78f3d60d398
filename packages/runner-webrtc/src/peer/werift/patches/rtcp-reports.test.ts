import { expect, test, vi } from "vitest";
import { RtcpReceiverInfo, RtcpRrPacket, RtcpTransportLayerFeedback, TransportWideCC } from "werift";
import { exchangeAudio, openCall } from "../../test/peer-fixture.ts";
import { selectReports } from "./rtcp-reports.ts";

/** An RTCP packet whose body has `words` words of zeros. */
function packet(type: number, words: number): Buffer {
  const bytes = Buffer.alloc(4 + 4 * words);
  bytes.writeUInt16BE((0x80 << 8) | type, 0);
  bytes.writeUInt16BE(words, 2);
  return bytes;
}

test("reports are selected, and other packets are not", () => {
  const [sender, receiver] = [packet(200, 6), packet(201, 1)];
  expect(selectReports(Buffer.concat([receiver, packet(202, 3), packet(205, 2), sender, packet(206, 2)]))).toEqual(
    Buffer.concat([receiver, sender]),
  );
});

test.each([
  ["nothing", Buffer.alloc(0), 0],
  ["a header that is cut off", Buffer.from("80c900", "hex"), 0],
  ["a packet past the end", Buffer.concat([packet(201, 1), packet(201, 3).subarray(0, 8)]), 8],
  ["100 reports", Buffer.concat(Array.from({ length: 100 }, () => packet(201, 1))), 4 * 8],
])("%s is read to the end or the limit", (_, compound, bytes) => {
  expect(selectReports(compound)).toHaveLength(bytes);
});

test("feedback of a caller does not block the process, and its reports arrive", async () => {
  const call = await openCall();
  await exchangeAudio(call);
  const header = { fbPktCount: 0, referenceTime: 0, baseSequenceNumber: 0, senderSsrc: 1, mediaSourceSsrc: 1 };
  const feedback = new TransportWideCC({ ...header, packetStatusCount: 65_535, packetChunks: [], recvDeltas: [] });
  const bytes = new RtcpTransportLayerFeedback({ feedback }).serialize();
  // Run lengths of 8,191 packets that arrived.
  const runs = Buffer.alloc(16, Buffer.from("3fff", "hex"));
  const expanding = Buffer.concat([bytes.subarray(0, 20), runs]);
  expanding.writeUInt16BE(expanding.length / 4 - 1, 2);
  const dtls = call.caller.connection.dtlsTransports[0] ?? expect.fail("The caller has no transport.");
  const ssrc = call.caller.packets[0]?.header.ssrc ?? 0;
  const lost = { packetsLost: 0, highestSequence: 0, jitter: 0, lsr: 0, dlsr: 0 };
  const report = new RtcpRrPacket({ ssrc: 1, reports: [new RtcpReceiverInfo({ ssrc, fractionLost: 128, ...lost })] });
  const raw = (data: Buffer) => ({ serialize: () => data }) as unknown as RtcpRrPacket;
  const startedAt = performance.now();
  await dtls.sendRtcp([report, ...Array.from({ length: 50 }, () => raw(expanding))]);
  await vi.waitFor(() => expect(call.events.losses).toContain(50));
  expect(performance.now() - startedAt).toBeLessThan(200);
});
