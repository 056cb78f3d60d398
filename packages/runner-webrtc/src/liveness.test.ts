import { expect, test } from "vitest";
import { createLiveness } from "./liveness.ts";
import type { PeerState } from "./peer/peer.ts";
import { createSteadyPacer } from "./voice/test/steady-pacer.ts";

/** A caller who may be away for 10 s, and a first peer of theirs. */
function stage(state: PeerState = "connecting") {
  const pacer = createSteadyPacer(0);
  const gone: string[] = [];
  const peer = { packetsReceived: 0, state };
  const liveness = createLiveness({ pacer, callerTimeoutMs: 10_000, gone: (how) => gone.push(how) });
  liveness.watch(peer);
  return { pacer, gone, peer, liveness };
}

test("one who sends something at times is there", () => {
  const { pacer, gone, peer } = stage("connected");
  for (let ms = 9_000; ms < 100_000; ms += 9_000) {
    peer.packetsReceived += 1;
    pacer.advanceTo(ms);
  }
  expect(gone).toEqual([]);
});

test("one who was there and is silent for longer than allowed is gone, told once", () => {
  const { pacer, gone, peer } = stage("connected");
  peer.packetsReceived = 1;
  pacer.advanceTo(250);
  pacer.advanceTo(10_250);
  expect(gone).toEqual([]);
  pacer.advanceTo(10_500);
  expect(gone).toEqual(["silent"]);
  pacer.advanceTo(60_000);
  expect(gone).toEqual(["silent"]);
  expect(pacer.series).toBe(0);
});

test("one who never sent anything is there as long as the connection is", () => {
  const { pacer, gone, peer } = stage("connected");
  pacer.advanceTo(60_000);
  expect(gone).toEqual([]);
  peer.state = "failed";
  pacer.advanceTo(70_500);
  expect(gone).toEqual(["silent"]);
});

test("one who finds no way here is waited for 30 s, however short the absence that is allowed", () => {
  const { pacer, gone } = stage();
  pacer.advanceTo(30_000);
  expect(gone).toEqual([]);
  pacer.advanceTo(30_250);
  expect(gone).toEqual(["never"]);
});

test("one who comes back with another peer has as long again, and no longer than one who was there", () => {
  const { pacer, gone, peer, liveness } = stage("connected");
  peer.packetsReceived = 100;
  pacer.advanceTo(250);
  pacer.advanceTo(9_000);
  liveness.watch({ packetsReceived: 0, state: "connecting" });
  pacer.advanceTo(19_000);
  expect(gone).toEqual([]);
  expect(pacer.series).toBe(1);
  pacer.advanceTo(19_250);
  expect(gone).toEqual(["silent"]);
});

test("nobody is watched once it stopped, or before it began", () => {
  const { pacer, gone, liveness } = stage();
  liveness.stop();
  liveness.stop();
  pacer.advanceTo(60_000);
  expect(gone).toEqual([]);
  expect(pacer.series).toBe(0);
});
