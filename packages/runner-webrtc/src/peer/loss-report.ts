import { type RtcpPacket, RtcpRrPacket, RtcpSrPacket } from "werift";

/** How much of what source `ssrc` sent got lost since the report before, in %: RFC 3550, section 6.4.1. */
export function reportedLoss(packet: RtcpPacket, ssrc: number): number | undefined {
  if (!(packet instanceof RtcpRrPacket || packet instanceof RtcpSrPacket)) return undefined;
  const report = packet.reports.find((each) => each.ssrc === ssrc);
  return report && (report.fractionLost / 256) * 100;
}
