import { RunnerError } from "@pipecat-ts/runner-core";
import { describe, expect, test } from "vitest";
import { createDisconnectGrace, createLiveness } from "./liveness.ts";
import type { PeerState } from "./peer/peer.ts";
import type { CallerAnswer } from "./peers.ts";
import { createSteadyPacer } from "./voice/test/steady-pacer.ts";

describe("liveness", () => {
  /** A first peer, and a caller timeout of 10 s. */
  function createFixture(state: PeerState = "connecting") {
    const pacer = createSteadyPacer(0);
    const timeouts: { readonly wasConnected: boolean }[] = [];
    const peer = { packetsReceived: 0, state };
    const liveness = createLiveness({
      pacer,
      callerTimeoutMs: 10_000,
      timedOut: (wasConnected) => timeouts.push({ wasConnected }),
    });
    liveness.watch(peer);
    return { pacer, timeouts, peer, liveness };
  }

  test("a caller who sends packets from time to time is present", () => {
    const { pacer, timeouts, peer } = createFixture("connected");
    for (let ms = 9_000; ms < 100_000; ms += 9_000) {
      peer.packetsReceived += 1;
      pacer.advanceTo(ms);
    }
    expect(timeouts).toEqual([]);
  });

  test("a caller without packets for the timeout is gone, reported once", () => {
    const { pacer, timeouts, peer } = createFixture("connected");
    peer.packetsReceived = 1;
    pacer.advanceTo(250);
    pacer.advanceTo(10_250);
    expect(timeouts).toEqual([]);
    pacer.advanceTo(10_500);
    expect(timeouts).toEqual([{ wasConnected: true }]);
    pacer.advanceTo(60_000);
    expect(timeouts).toEqual([{ wasConnected: true }]);
    expect(pacer.timers).toBe(0);
  });

  test("a caller who never sent a packet is present as long as its connection is", () => {
    const { pacer, timeouts, peer } = createFixture("connected");
    pacer.advanceTo(60_000);
    expect(timeouts).toEqual([]);
    peer.state = "failed";
    pacer.advanceTo(70_500);
    expect(timeouts).toEqual([{ wasConnected: true }]);
  });

  test("a caller whose peer has failed is gone after the timeout, also while its packets arrive", () => {
    const { pacer, timeouts, peer } = createFixture("connected");
    for (let ms = 1_000; ms < 20_000; ms += 250) {
      peer.packetsReceived += 1;
      if (ms === 5_000) peer.state = "failed";
      pacer.advanceTo(ms);
    }
    expect(timeouts).toEqual([{ wasConnected: true }]);
  });

  test("connecting may take 30 s, whatever the caller timeout", () => {
    const { pacer, timeouts } = createFixture();
    pacer.advanceTo(30_000);
    expect(timeouts).toEqual([]);
    pacer.advanceTo(30_250);
    expect(timeouts).toEqual([{ wasConnected: false }]);
  });

  test("time during which the event loop was blocked does not count, because packets wait in the socket meanwhile", () => {
    const { pacer, timeouts, peer } = createFixture("connected");
    peer.packetsReceived = 1;
    pacer.advanceTo(250);
    pacer.skipTo(30_000);
    pacer.advanceTo(39_500);
    expect(timeouts).toEqual([]);
    pacer.advanceTo(40_500);
    expect(timeouts).toEqual([{ wasConnected: true }]);
  });

  test("a new peer starts the caller timeout again", () => {
    const { pacer, timeouts, peer, liveness } = createFixture("connected");
    peer.packetsReceived = 100;
    pacer.advanceTo(250);
    pacer.advanceTo(9_000);
    liveness.watch({ packetsReceived: 0, state: "connecting" });
    pacer.advanceTo(19_000);
    expect(timeouts).toEqual([]);
    expect(pacer.timers).toBe(1);
    pacer.advanceTo(19_250);
    expect(timeouts).toEqual([{ wasConnected: true }]);
  });

  test("nothing is reported after stop()", () => {
    const { pacer, timeouts, liveness } = createFixture();
    liveness.stop();
    liveness.stop();
    pacer.advanceTo(60_000);
    expect(timeouts).toEqual([]);
    expect(pacer.timers).toBe(0);
  });
});

describe("disconnect grace period", () => {
  /** A caller with an open data channel, whose offers are answered when the test says. */
  function createFixture() {
    const pacer = createSteadyPacer(0);
    const { clock } = pacer;
    const offers: PromiseWithResolvers<CallerAnswer>[] = [];
    const current: { state: PeerState } = { state: "connected" };
    const peers = {
      pcId: "s.1",
      open: true,
      current: current as never,
      answer() {
        const answering = Promise.withResolvers<CallerAnswer>();
        offers.push(answering);
        return answering.promise;
      },
    };
    const leftAtMs: number[] = [];
    const grace = createDisconnectGrace({
      peers,
      clock,
      after: (delayMs, act) => void clock.after(delayMs, act),
      expired: () => leftAtMs.push(clock.now()),
    });

    function advance(ms: number): void {
      pacer.advanceTo(clock.now() + ms);
    }
    function closeChannel(): void {
      peers.open = false;
      grace.begin();
    }
    /** Offers a new peer, which is answered, or rejected, after `ms`. */
    async function restart(ms: number, rejection?: Error): Promise<void> {
      const answered = grace.answer({ sdp: "", pcId: peers.pcId, restart: true }).catch(() => undefined);
      advance(ms);
      if (rejection) offers.at(-1)?.reject(rejection);
      else {
        peers.pcId = "s.2";
        offers.at(-1)?.resolve({ sdp: "", pcId: "s.2" });
      }
      await answered;
    }
    return { peers, current, leftAtMs, grace, advance, closeChannel, restart };
  }

  const portsExhausted = new RunnerError("UDP_PORTS_EXHAUSTED", "All taken.", { status: 503 });
  const invalidOffer = new RunnerError("OFFER_INVALID", "No.");

  test("a caller who closes its channel has left 500 ms later", () => {
    const { advance, leftAtMs, closeChannel } = createFixture();
    closeChannel();
    advance(5_000);
    expect(leftAtMs).toEqual([500]);
  });

  test("a caller who closes its peer has left, even if its channel seems open", () => {
    const { advance, current, grace, leftAtMs } = createFixture();
    current.state = "closed";
    grace.begin();
    advance(5_000);
    expect(leftAtMs).toEqual([500]);
  });

  test("a caller who opens another channel stays", () => {
    const { advance, peers, leftAtMs, closeChannel } = createFixture();
    closeChannel();
    peers.open = true;
    advance(5_000);
    expect(leftAtMs).toEqual([]);
  });

  test("a caller who replaces the peer stays, however long the new one takes to connect", async () => {
    const { advance, leftAtMs, closeChannel, restart } = createFixture();
    closeChannel();
    await restart(400);
    advance(5_000);
    expect(leftAtMs).toEqual([]);
  });

  test("the grace period lasts while an offer is being answered", async () => {
    const { advance, leftAtMs, closeChannel, restart } = createFixture();
    closeChannel();
    await restart(2_300);
    advance(5_000);
    expect(leftAtMs).toEqual([]);
  });

  test("a caller whose offer is rejected with a 4xx status has left", async () => {
    const { advance, leftAtMs, closeChannel, restart } = createFixture();
    closeChannel();
    await restart(2_300, invalidOffer);
    advance(5_000);
    expect(leftAtMs).toEqual([2_500]);
  });

  test.each([portsExhausted, new Error("unexpected")])(
    "a caller rejected with a 5xx status stays although it then closes the old peer: %s",
    async (rejection) => {
      const { advance, leftAtMs, closeChannel, restart } = createFixture();
      await restart(100, rejection);
      advance(1_000);
      closeChannel();
      advance(60_000);
      expect(leftAtMs).toEqual([]);
    },
  );

  test("a caller who closes the old peer and is then rejected with a 5xx status stays", async () => {
    const { advance, leftAtMs, closeChannel, restart } = createFixture();
    closeChannel();
    await restart(400, portsExhausted);
    advance(60_000);
    expect(leftAtMs).toEqual([]);
  });

  test("a caller rejected with a 4xx status who then closes the peer has left", async () => {
    const { advance, leftAtMs, closeChannel, restart } = createFixture();
    await restart(0, invalidOffer);
    closeChannel();
    advance(5_000);
    expect(leftAtMs).toEqual([500]);
  });

  test("a caller who does not try again within 2.5 s and closes the peer has left", async () => {
    const { advance, leftAtMs, closeChannel, restart } = createFixture();
    await restart(0, portsExhausted);
    advance(3_000);
    closeChannel();
    advance(5_000);
    expect(leftAtMs).toEqual([3_500]);
  });
});
