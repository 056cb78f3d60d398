import { expect, onTestFinished, test } from "vitest";
import { openPeer } from "../../test/peer-fixture.ts";
import { createPeerCaller } from "../peer-caller.ts";

test("a caller sends its first handshake message as soon as ICE is connected", async () => {
  const delaysMs: number[] = [];
  // The least of three: the first call loads code.
  for (let call = 0; call < 3; call++) {
    const { peer } = openPeer();
    const caller = createPeerCaller();
    onTestFinished(() => caller.close());
    await caller.accept(await peer.answer(await caller.offer()));
    const [dtls] = caller.connection.dtlsTransports;
    await dtls?.onStateChange.watch((state) => state === "connecting");
    const startedMs = performance.now();
    await dtls?.onStateChange.watch((state) => state === "connected");
    delaysMs.push(performance.now() - startedMs);
    await caller.close();
  }
  expect(Math.min(...delaysMs)).toBeLessThan(100);
});
