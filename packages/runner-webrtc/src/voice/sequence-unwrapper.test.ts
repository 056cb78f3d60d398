import { expect, test } from "vitest";
import { createSequenceUnwrapper } from "./sequence-unwrapper.ts";

const payload = new Uint8Array();

function createFixture() {
  const restarts: number[] = [];
  const unwrapper = createSequenceUnwrapper(() => restarts.push(1));
  const unwrap = (sequenceNumber: number, timestamp: number, atMs: number) =>
    unwrapper.unwrap({ payload, sequenceNumber: sequenceNumber & 0xffff, timestamp: timestamp >>> 0 }, atMs);
  return { unwrapper, restarts, unwrap };
}

test("sequence numbers and timestamps are unwrapped in both directions", () => {
  const { unwrap } = createFixture();
  const positions = [65_534, 65_535, 65_537, 65_536, 65_538].map((sequence) =>
    unwrap(sequence, 2 ** 32 + (sequence - 65_536) * 960, (sequence - 65_534) * 20),
  );
  expect(positions.map((each) => each?.sequence)).toEqual([65_534, 65_535, 65_537, 65_536, 65_538]);
  expect(positions.map((each) => (each?.at ?? 0) - (positions[0]?.at ?? 0))).toEqual([0, 960, 2_880, 1_920, 3_840]);
});

test("one stray packet is ignored; two consecutive stray packets start a new stream", () => {
  const { unwrap, restarts } = createFixture();
  unwrap(40_000, 960, 0);
  expect(unwrap(20_000, 5_000_000, 20)).toBeUndefined();
  expect(unwrap(40_001, 1_920, 20)?.sequence).toBe(40_001);
  expect(unwrap(20_001, 5_000_960, 40)).toBeUndefined(); // A packet of the stream was between them.
  expect(restarts).toEqual([]);
  expect(unwrap(20_002, 5_001_920, 60)).toMatchObject({ at: 5_001_920 });
  expect(restarts).toEqual([1]);
  expect(unwrap(20_003, 5_002_880, 80)).toMatchObject({ at: 5_002_880 });
});

test("a packet whose timestamp deviates too far from its arrival is stray, except after a pause", () => {
  const { unwrapper, unwrap, restarts } = createFixture();
  unwrap(1, 960, 0);
  expect(unwrap(2, 960 + 48 * 600, 20)).toBeUndefined();
  expect(unwrap(2, 1_920, 620)).toBeUndefined();
  unwrapper.pause();
  expect(unwrap(3, 2_880, 5_000)).toBeDefined();
  expect(unwrap(4, 3_840, 6_000)).toBeUndefined();
  expect(restarts).toEqual([]);
});

test("after a restart, any packet is the first one", () => {
  const { unwrapper, unwrap } = createFixture();
  unwrap(1, 960, 0);
  unwrapper.restart();
  expect(unwrap(30_000, 7_000_000, 20)).toMatchObject({ sequence: 30_000, at: 7_000_000 });
});
