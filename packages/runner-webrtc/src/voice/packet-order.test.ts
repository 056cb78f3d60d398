import { expect, test } from "vitest";
import { createPacketOrder } from "./packet-order.ts";

const payload = new Uint8Array();

function createOrder() {
  const beginnings: number[] = [];
  const order = createPacketOrder(() => beginnings.push(1));
  const place = (sequenceNumber: number, timestamp: number, atMs: number) =>
    order.place({ payload, sequenceNumber: sequenceNumber & 0xffff, timestamp: timestamp >>> 0 }, atMs);
  return { order, beginnings, place };
}

test("sequence and timestamp are counted on where they wrap, backwards too", () => {
  const { place } = createOrder();
  const places = [65_534, 65_535, 65_537, 65_536, 65_538].map((sequence) =>
    place(sequence, 2 ** 32 + (sequence - 65_536) * 960, (sequence - 65_534) * 20),
  );
  expect(places.map((each) => each?.sequence)).toEqual([65_534, 65_535, 65_537, 65_536, 65_538]);
  expect(places.map((each) => (each?.at ?? 0) - (places[0]?.at ?? 0))).toEqual([0, 960, 2_880, 1_920, 3_840]);
});

test("one packet from elsewhere is none; two that follow each other are a new stream", () => {
  const { place, beginnings } = createOrder();
  place(40_000, 960, 0);
  expect(place(20_000, 5_000_000, 20)).toBeUndefined();
  expect(place(40_001, 1_920, 20)?.sequence).toBe(40_001);
  expect(place(20_001, 5_000_960, 40)).toBeUndefined(); // a packet of the stream was between them
  expect(beginnings).toEqual([]);
  expect(place(20_002, 5_001_920, 60)).toMatchObject({ at: 5_001_920 });
  expect(beginnings).toEqual([1]);
  expect(place(20_003, 5_002_880, 80)).toMatchObject({ at: 5_002_880 });
});

test("a timestamp far from the time that passed is not of the stream, but after a pause it may be anything", () => {
  const { order, place, beginnings } = createOrder();
  place(1, 960, 0);
  expect(place(2, 960 + 48 * 600, 20)).toBeUndefined();
  expect(place(2, 1_920, 620)).toBeUndefined();
  order.pause();
  expect(place(3, 2_880, 5_000)).toBeDefined();
  expect(place(4, 3_840, 6_000)).toBeUndefined();
  expect(beginnings).toEqual([]);
});

test("after a restart, any packet is the first", () => {
  const { order, place } = createOrder();
  place(1, 960, 0);
  order.restart();
  expect(place(30_000, 7_000_000, 20)).toMatchObject({ sequence: 30_000, at: 7_000_000 });
});
