import { expect, onTestFinished, test, vi } from "vitest";
import { RTCPeerConnection } from "werift";
import { createVideoStreams } from "../../video/video-streams.ts";
import { quiet } from "../test/peer-fixture.ts";
import { untilAborted } from "./deadline.ts";
import { createGathering } from "./gathering.ts";

test("sockets that are being bound when the peer closes are closed too", async () => {
  const connection = new RTCPeerConnection({ iceServers: [] });
  const { dtlsTransport } = connection.addTransceiver("audio");
  const closing = new AbortController();
  const gathering = createGathering(dtlsTransport, { iceServers: [], logger: quiet }, createVideoStreams());
  const gathered = gathering.gather(closing.signal);
  const refused = expect(gathered).rejects.toThrow("aborted");
  closing.abort();
  await connection.close();
  await refused;
  await vi.waitFor(() => expect(process.getActiveResourcesInfo()).not.toContain("UDPWrap"));
});

test("a query that fails after the peer was closed leaves no unhandled rejection", async () => {
  const unhandled = vi.fn<() => void>();
  process.on("unhandledRejection", unhandled);
  onTestFinished(() => void process.off("unhandledRejection", unhandled));
  const query = Promise.reject(new Error("no response"));
  await expect(untilAborted(query, AbortSignal.abort("closed"))).rejects.toBe("closed");
  await new Promise((resolve) => setImmediate(resolve));
  expect(unhandled).not.toHaveBeenCalled();
});
