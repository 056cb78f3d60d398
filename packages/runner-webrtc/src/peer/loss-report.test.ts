import { expect, test } from "vitest";
import { RtcpReceiverInfo, RtcpRrPacket, RtcpSenderInfo, RtcpSrPacket } from "werift";
import { reportedLoss } from "./loss-report.ts";

const report = (ssrc: number, fractionLost: number): RtcpReceiverInfo =>
  new RtcpReceiverInfo({ ssrc, fractionLost, packetsLost: 0, highestSequence: 0, jitter: 0, lsr: 0, dlsr: 0 });
const reports = [report(1, 255), report(7, 64)];

test("the loss of our source is told, whichever report it comes in", () => {
  expect(reportedLoss(new RtcpRrPacket({ ssrc: 2, reports }), 7)).toBe(25);
  const senderInfo = new RtcpSenderInfo({ ntpTimestamp: 0n, rtpTimestamp: 0, packetCount: 0, octetCount: 0 });
  expect(reportedLoss(new RtcpSrPacket({ ssrc: 2, reports, senderInfo }), 7)).toBe(25);
});

test("reports on others, and none, tell nothing", () => {
  expect(reportedLoss(new RtcpRrPacket({ ssrc: 2, reports }), 8)).toBeUndefined();
  expect(reportedLoss(new RtcpRrPacket({ ssrc: 2, reports: [] }), 7)).toBeUndefined();
});
