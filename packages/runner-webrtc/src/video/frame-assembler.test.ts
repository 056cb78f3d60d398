import { expect, test } from "vitest";
import type { VideoPacket } from "../peer/peer.ts";
import { createFrameAssembler } from "./frame-assembler.ts";
import { deltaFrame, keyFrame, packetize } from "./test/vp8-packets.ts";
import { wrapInWebp } from "./webp.ts";

/** The key frames that come out of these packets. */
function assemble(packets: readonly VideoPacket[]): Uint8Array[] {
  const assembler = createFrameAssembler();
  return packets.flatMap((packet) => assembler.push(packet) ?? []).map((frame) => Uint8Array.from(frame));
}

const frame = keyFrame(640, 480, 5_500);
const packets = packetize(frame);

test("joins the packets of a key frame, with any descriptor", () => {
  expect(assemble(packets)).toEqual([frame]);
  expect(assemble(packetize(frame, { descriptor: [0xf0, 0xff, 0xff, 0x12, 0x34] }))).toEqual([frame]);
  expect(assemble(packetize(keyFrame(2, 2, 200)))).toEqual([keyFrame(2, 2, 200)]);
});

test.each([
  ["in reverse", [...packets].reverse()],
  ["each twice", packets.flatMap((packet) => [packet, packet]).slice(0, -1)],
  ["around sequence number 0", packetize(frame, { sequenceNumber: 65_534 })],
])("joins packets %s", (_, received) => {
  expect(assemble(received)).toEqual([frame]);
});

test("joins the packets of a key frame among those of the frames around it", () => {
  const before = packetize(deltaFrame(), { sequenceNumber: 97, timestamp: 6_000 });
  const after = packetize(deltaFrame(), { sequenceNumber: 106, timestamp: 12_000 });
  const last = packets.at(-1) as VideoPacket;
  expect(assemble([...packets.slice(0, 2), ...before, ...packets.slice(2, -1), ...after, last])).toEqual([frame]);
});

test.each(packets.map((_, index) => index))(
  "returns nothing when packet %i of 6 is lost, and then the next key frame",
  (lost) => {
    const received = packets.filter((_, index) => index !== lost);
    const next = packetize(frame, { sequenceNumber: 200, timestamp: 90_000 });
    expect(assemble([...received, ...packetize(deltaFrame(), { sequenceNumber: 106, timestamp: 12_000 })])).toEqual([]);
    expect(assemble([...received, ...next])).toEqual([frame]);
  },
);

test("skips other frames, and holds nothing of them", () => {
  const assembler = createFrameAssembler();
  for (const packet of packetize(deltaFrame())) expect(assembler.push(packet)).toBeUndefined();
  expect(assembler.bytes).toBe(0);
});

test("knows whether a key frame has begun", () => {
  const assembler = createFrameAssembler();
  const [first, ...others] = packets as [VideoPacket, ...VideoPacket[]];
  expect(assembler.receiving).toBe(false);
  assembler.push(first);
  expect(assembler.receiving).toBe(true);
  for (const packet of others) assembler.push(packet);
  expect(assembler.receiving).toBe(false);
});

test("skips a frame with more packets than its first and last one allow", () => {
  const [first] = packets as [VideoPacket];
  const outside = packets.map((packet, index) => ({ ...packet, sequenceNumber: 500 + index, marker: false }));
  const last = { ...first, payload: Uint8Array.of(0, 1), sequenceNumber: 102, marker: true };
  expect(assemble([first, ...outside.slice(1), last])).toEqual([]);
});

test("copies the data, so that a small packet does not hold a large datagram", () => {
  const datagram = new Uint8Array(2_048);
  datagram.set((packets[0] as VideoPacket).payload, 0);
  const assembler = createFrameAssembler();
  const [first, ...others] = packets as [VideoPacket, ...VideoPacket[]];
  assembler.push({ ...first, payload: datagram.subarray(0, first.payload.length) });
  datagram.fill(0);
  const complete = others.flatMap((packet) => assembler.push(packet) ?? []);
  expect(complete.map((each) => Uint8Array.from(each))).toEqual([frame]);
});

test.each<[string, (index: number) => Partial<VideoPacket>]>([
  ["one endless frame", () => ({ marker: false })],
  ["a frame per packet", (index) => ({ timestamp: index, marker: false })],
  ["endless frames in turn", (index) => ({ timestamp: index % 4, marker: false })],
])("holds at most 2 MiB of %s", (_, change) => {
  const assembler = createFrameAssembler();
  const payload = Uint8Array.of(0, ...new Uint8Array(1_200));
  for (let index = 0; index < 20_000; index++) {
    assembler.push({
      source: "camera",
      payload,
      sequenceNumber: index & 0xffff,
      timestamp: 1,
      marker: false,
      ...change(index),
    });
    expect(assembler.bytes).toBeLessThanOrEqual(2 * 1024 * 1024);
  }
});

test("holds at most 4,096 packets, however small", () => {
  const assembler = createFrameAssembler();
  const payload = Uint8Array.of(0, 1);
  for (let index = 0; index < 20_000; index++) {
    assembler.push({ source: "camera", payload, sequenceNumber: index & 0xffff, timestamp: 1, marker: false });
    expect(assembler.bytes).toBeLessThanOrEqual(4_096);
  }
});

test("a picture of 100 kB costs less than 3 ms of processor time, from its packets to the file", () => {
  const packets = packetize(keyFrame(1_280, 720, 100_000));
  const micros = Array.from({ length: 21 }, () => {
    const cpu = process.threadCpuUsage();
    const files = assemble(packets).map(wrapInWebp);
    const { user, system } = process.threadCpuUsage(cpu);
    expect(files).toHaveLength(1);
    return user + system;
  });
  expect(micros.toSorted((a, b) => a - b)[10]).toBeLessThan(3_000);
});
