import { expect, onTestFinished, test, vi } from "vitest";
import { openPeer } from "../../test/peer-fixture.ts";
import { createPeerCaller } from "../peer-caller.ts";

test.each(["actpass", "passive"])(
  "a call with setup:%s connects although every handshake datagram arrives twice",
  async (setup) => {
    const { peer } = openPeer();
    const caller = createPeerCaller();
    onTestFinished(() => caller.close());
    const answer = await peer.answer((await caller.offer()).replaceAll("setup:actpass", `setup:${setup}`));
    caller.repeatHandshake();
    await caller.accept(answer);
    await vi.waitFor(() => expect(peer.state).toBe("connected"), { timeout: 4_000 });
    await caller.connected(4_000);
  },
);
