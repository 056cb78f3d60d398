import { expect, test, vi } from "vitest";
import { type RtcpPacket, RtcpSrPacket } from "werift";
import { exchangeAudio, openCall } from "../../test/peer-fixture.ts";
import { silence } from "../peer-caller.ts";

test("sender reports state how much was sent, and when", async () => {
  const call = await openCall();
  const reports: RtcpSrPacket[] = [];
  const [dtls] = call.caller.connection.dtlsTransports;
  dtls?.onRtcp.subscribe((packet: RtcpPacket) => {
    if (packet instanceof RtcpSrPacket) reports.push(packet);
  });
  for (let packet = 0; packet < 3; packet++) await exchangeAudio(call);
  await vi.waitFor(() => expect(reports.length).toBeGreaterThan(0), { timeout: 5_000 });
  const sent = call.caller.packets;
  const [{ ssrc, senderInfo } = expect.unreachable()] = reports;
  expect(ssrc).toBe(sent[0]?.header.ssrc);
  expect(senderInfo.packetCount).toBeGreaterThanOrEqual(sent.length);
  expect(senderInfo.octetCount).toBe(senderInfo.packetCount * silence.length);
  expect(senderInfo.rtpTimestamp).toBe(sent.at(-1)?.header.timestamp);
  const unixMs = (Number(senderInfo.ntpTimestamp) / 2 ** 32 - 2_208_988_800) * 1000;
  expect(Math.abs(Date.now() - unixMs)).toBeLessThan(10_000);
});
