import { countSettledResources, settleResources } from "@pipecat-ts/runner-testing";
import { expect, test, vi } from "vitest";
import { RTCDtlsFingerprint, RTCDtlsParameters, type RTCDtlsTransport, RTCPeerConnection } from "werift";
import { stopRetransmission } from "./handshake-timers.ts";

test.each([
  ["before its first message", () => undefined],
  // The ClientHello was sent; no caller receives it.
  ["half-way", (dtls: RTCDtlsTransport) => vi.waitFor(() => expect(dtls.dtls?.dtls.flight).toBe(1))],
])("a handshake that is stopped %s leaves no timer", async (_when, reached) => {
  const connection = new RTCPeerConnection({ iceServers: [], iceUseIpv4: false, iceUseIpv6: false });
  const { dtlsTransport: dtls } = connection.addTransceiver("audio");
  dtls.setRemoteParams(new RTCDtlsParameters([new RTCDtlsFingerprint("sha-256", "00")], "auto"));
  dtls.role = "client";
  const before = await countSettledResources();
  void dtls.start();
  await reached(dtls);
  stopRetransmission(dtls);
  await dtls.stop();
  await connection.close();
  expect(await settleResources(before, 1_200)).toEqual([]);
});
