import { expect, test } from "vitest";
import { createJitterBuffer, type JitterBuffer } from "./jitter-buffer.ts";

/** A packet of 20 ms at 16,000 Hz with or without the FEC flag. */
const packet = (fec: boolean) => Uint8Array.of(0x48, fec ? 0x40 : 0x00, 0x12);
const push = (buffer: JitterBuffer, index: number, nowMs: number, fec = false) =>
  buffer.push({ payload: packet(fec), sequenceNumber: index, timestamp: index * 960 }, nowMs);

test("fills a gap from its start; the FEC of the next packet fills the last frame", () => {
  const buffer = createJitterBuffer();
  push(buffer, 0, 0);
  push(buffer, 4, 80, true);
  buffer.due(20, 0);
  const next = Array.from({ length: 5 }, () => buffer.next());
  expect(next).toEqual([
    { kind: "packet", payload: packet(false), duration: 960 },
    { kind: "missing", duration: 960 },
    { kind: "missing", duration: 960 },
    { kind: "missing", duration: 960, fecPacket: packet(true) },
    { kind: "packet", payload: packet(true), duration: 960 },
  ]);
  expect(buffer.counters).toMatchObject({ lost: 3, concealedMs: 40, recoveredMs: 20 });
});

test("audio concealed while no packet was there counts against the gap, unless the caller had paused", () => {
  for (const sequence of [1, 3]) {
    const buffer = createJitterBuffer();
    push(buffer, 0, 0);
    buffer.due(20, 0);
    buffer.next();
    for (const dueMs of [40, 60]) {
      buffer.due(dueMs, 0);
      expect(buffer.next()).toEqual({ kind: "missing", duration: 960 });
      expect(buffer.delayMs).toBe(20);
    }
    buffer.push({ payload: packet(false), sequenceNumber: sequence, timestamp: 3 * 960 }, 61);
    buffer.due(80, 0);
    expect(buffer.next()).toMatchObject({ kind: "packet" });
    expect(buffer.counters.concealedMs).toBe(sequence === 1 ? 0 : 40);
    expect(buffer.delayMs).toBe(20);
  }
});

test("a late packet is played late, and the delay is longer afterwards", () => {
  const buffer = createJitterBuffer();
  push(buffer, 0, 0);
  buffer.due(20, 0);
  buffer.next();
  buffer.due(40, 0);
  expect(buffer.next()).toMatchObject({ kind: "missing" });
  push(buffer, 1, 45);
  buffer.due(60, 0);
  expect(buffer.next()).toMatchObject({ kind: "packet" });
  expect(buffer.delayMs).toBe(40);
  expect(buffer.counters).toMatchObject({ concealedMs: 20, lost: 0, late: 0 });
});

test("200 ms without packets are a pause; the next packet waits for the target delay again", () => {
  const buffer = createJitterBuffer();
  push(buffer, 0, 0);
  buffer.due(20, 0);
  buffer.next();
  const kinds = Array.from({ length: 12 }, () => buffer.next().kind);
  expect(kinds).toEqual([...Array(10).fill("missing"), "idle", "idle"]);
  push(buffer, 50, 1_000);
  buffer.due(1_005, 0);
  expect(buffer.next()).toEqual({ kind: "idle" });
  buffer.due(1_025, 0);
  expect(buffer.next()).toMatchObject({ kind: "packet" });
  expect(buffer.counters).toMatchObject({ lost: 49, concealedMs: 0 });
});

test("a gap that is too long to be a loss is not filled", () => {
  const buffer = createJitterBuffer();
  push(buffer, 0, 0);
  buffer.push({ payload: packet(false), sequenceNumber: 1, timestamp: 15 * 960 }, 10);
  buffer.due(20, 0);
  expect([buffer.next().kind, buffer.next().kind]).toEqual(["packet", "packet"]);
});

test("the number of packets with the same timestamp is bounded", () => {
  const buffer = createJitterBuffer();
  for (let index = 0; index < 1_000; index++)
    buffer.push({ payload: packet(false), sequenceNumber: index, timestamp: 0 }, 0);
  expect(buffer.counters.overflowed).toBe(800);
});

test("packets that do not start with a frame wait longer, because they are needed sooner", () => {
  const targets = [0, 720].map((shift) => {
    const buffer = createJitterBuffer();
    push(buffer, 0, 0);
    buffer.due(20, 0);
    for (let index = 1; index < 50; index++)
      buffer.push({ payload: packet(false), sequenceNumber: index, timestamp: index * 960 + shift }, index * 20);
    return buffer.targetMs;
  });
  expect(targets[0]).toBe(20);
  expect(targets[1]).toBeGreaterThanOrEqual(25); // 15 ms into the frame, plus the margin.
});
