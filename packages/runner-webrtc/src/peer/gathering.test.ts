import { expect, test, vi } from "vitest";
import { RTCPeerConnection } from "werift";
import { createGathering } from "./gathering.ts";
import { quiet } from "./test/peer-stage.ts";

test("sockets that were being bound when the peer was closed are closed as well", async () => {
  const connection = new RTCPeerConnection({ iceServers: [] });
  const { dtlsTransport } = connection.addTransceiver("audio");
  const closing = new AbortController();
  const gathered = createGathering(dtlsTransport, { iceServers: [], logger: quiet }).gather(closing.signal);
  const refused = expect(gathered).rejects.toThrow("aborted");
  closing.abort();
  await connection.close();
  await refused;
  await vi.waitFor(() => expect(process.getActiveResourcesInfo()).not.toContain("UDPWrap"));
});
