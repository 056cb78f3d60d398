import { expect, onTestFinished, test } from "vitest";
import { RTCPeerConnection } from "werift";
import { chromium } from "../../test/offers.ts";
import { disableAutomaticConnect } from "./automatic-connect.ts";

test("an answer does not start ICE or DTLS", async () => {
  const connection = new RTCPeerConnection({ iceServers: [], iceUseIpv4: false, iceUseIpv6: false });
  onTestFinished(() => connection.close());
  disableAutomaticConnect(connection);
  await connection.setRemoteDescription({ type: "offer", sdp: chromium });
  await connection.setLocalDescription(await connection.createAnswer());
  expect(connection.connectionState).toBe("new");
});
