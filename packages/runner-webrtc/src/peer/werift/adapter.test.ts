import { describe, expect, onTestFinished, test, vi } from "vitest";
import {
  RTCPeerConnection,
  type RTCRtpTransceiver,
  RtcpReceiverInfo,
  RtcpRrPacket,
  RtcpSenderInfo,
  RtcpSrPacket,
} from "werift";
import { chromium } from "../test/offers.ts";
import { openCall, openPeer } from "../test/peer-fixture.ts";
import { reportedLoss } from "./adapter.ts";

describe("reported loss", () => {
  const report = (ssrc: number, fractionLost: number): RtcpReceiverInfo =>
    new RtcpReceiverInfo({ ssrc, fractionLost, packetsLost: 0, highestSequence: 0, jitter: 0, lsr: 0, dlsr: 0 });
  const reports = [report(1, 255), report(7, 64)];

  test("is read from sender and receiver reports on our source", () => {
    expect(reportedLoss(new RtcpRrPacket({ ssrc: 2, reports }), 7)).toBe(25);
    const senderInfo = new RtcpSenderInfo({ ntpTimestamp: 0n, rtpTimestamp: 0, packetCount: 0, octetCount: 0 });
    expect(reportedLoss(new RtcpSrPacket({ ssrc: 2, reports, senderInfo }), 7)).toBe(25);
  });

  test("is undefined without a report on our source", () => {
    expect(reportedLoss(new RtcpRrPacket({ ssrc: 2, reports }), 8)).toBeUndefined();
    expect(reportedLoss(new RtcpRrPacket({ ssrc: 2, reports: [] }), 7)).toBeUndefined();
  });
});

test("a caller that announces another source in each offer does not fill the memory", async () => {
  const added = vi.spyOn(RTCPeerConnection.prototype, "addTransceiver");
  onTestFinished(() => added.mockRestore());
  const { peer } = openPeer();
  for (let ssrc = 1; ssrc <= 100; ssrc++) await peer.answer(chromium.replaceAll("a=ssrc:1001", `a=ssrc:${ssrc}`));
  const [voice] = added.mock.results.map(({ value }) => value as RTCRtpTransceiver);
  expect(voice?.receiver.tracks).toHaveLength(64);
});

describe("data channels", () => {
  /** What remains of a datagram on the narrowest IPv6 path (RFC 8200, section 5: 1,280 bytes) after IPv6 and UDP headers. */
  const narrowestBytes = 1_280 - 40 - 8;

  test("a long message arrives complete, in datagrams that fit every path", async () => {
    const { peer, caller, events } = await openCall();
    await vi.waitFor(() => expect(events.channel).toEqual(["open"]));
    const sizes: number[] = [];
    caller.onDatagram(({ length }) => sizes.push(length));
    const text = "x".repeat(60_000);
    peer.sendText(text);
    await vi.waitFor(() => expect(caller.texts).toEqual([text]), { timeout: 4_000 });
    expect(sizes.length).toBeGreaterThan(50);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(narrowestBytes);
  });

  test("a caller may open 16 data channels, even if it closes them, and no more", async () => {
    const { peer, caller, events } = await openCall();
    await vi.waitFor(() => expect(events.channel).toEqual(["open"]));
    for (let count = 2; count <= 16; count++) {
      const channel = caller.connection.createDataChannel(`channel ${count}`);
      await vi.waitFor(() => expect(channel.readyState).toBe("open"));
      channel.close();
      await vi.waitFor(() => expect(channel.readyState).toBe("closed"));
    }
    caller.channel?.send("hello");
    await vi.waitFor(() => expect(peer.packetsReceived).toBeGreaterThan(0));
    expect(peer.state).toBe("connected");
    caller.connection.createDataChannel("channel 17");
    await vi.waitFor(() => expect(peer.state).toBe("closed"));
    expect(events.channel.at(-1)).toBe("closed");
    await expect(peer.answer(await caller.offer())).rejects.toMatchObject({ code: "CALL_ENDED" });
  });
});
