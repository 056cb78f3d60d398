import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createVideoReceiver } from "../../packages/runner-webrtc/src/video/caller-video.ts";
import { createFrameAssembler } from "../../packages/runner-webrtc/src/video/frame-assembler.ts";
import { keyFrame, packetize } from "../../packages/runner-webrtc/src/video/test/vp8-packets.ts";
import { createVideoStreams } from "../../packages/runner-webrtc/src/video/video-streams.ts";
import { parseKeyFrame, parseVp8Payload } from "../../packages/runner-webrtc/src/video/vp8.ts";
import { wrapInWebp } from "../../packages/runner-webrtc/src/video/webp.ts";
import { type Cost, expectCost, micros } from "./cost.ts";
import { fuzz } from "./fuzz.ts";

/** Four times the most expensive inputs below. */
const packetCost: Cost = { messageMicros: 20, byteMicros: 0.02 };

const bytes = (maxLength: number) => fc.uint8Array({ maxLength });

test("payloads of any content are read or ignored", async () => {
  let read = 0;
  await fuzz(bytes(40), (payload) => {
    const received = parseVp8Payload(payload);
    if (received === undefined) return;
    read += 1;
    expect(received.data.length).toBeGreaterThan(0);
    expect(payload.length - received.data.length).toBeLessThanOrEqual(6);
  });
  expect(read).toBeGreaterThan(100);
});

const almostKeyFrame = fc
  .record({
    width: fc.nat({ max: 16_383 }),
    height: fc.nat({ max: 16_383 }),
    length: fc.integer({ min: 10, max: 300 }),
    changes: fc.array(fc.tuple(fc.nat({ max: 12 }), fc.nat({ max: 255 })), { maxLength: 2 }),
    cut: fc.nat({ max: 300 }),
  })
  .map(({ width, height, length, changes, cut }) => {
    const frame = keyFrame(width, height, length);
    for (const [index, value] of changes) if (index < length) frame[index] = value;
    return cut < 20 ? frame.subarray(0, cut) : frame;
  });

test("headers of any content give a size that a picture can have, or nothing", async () => {
  const sizes = new Set<boolean>();
  await fuzz(fc.oneof(almostKeyFrame, bytes(40)), (frame) => {
    const size = parseKeyFrame(frame);
    sizes.add(size !== undefined);
    if (size === undefined) return;
    for (const each of [size.width, size.height]) expect(each >= 1 && each <= 16_383).toBe(true);
    const file = wrapInWebp(frame);
    expect(new DataView(file.buffer).getUint32(4, true)).toBe(file.length - 8);
    expect(file.length % 2).toBe(0);
  });
  expect(sizes.size).toBe(2);
});

const packet = fc.record({
  source: fc.constant("camera" as const),
  payload: fc.oneof(
    bytes(60),
    fc
      .tuple(fc.constantFrom(0, 0x10, 0x80, 0x90), almostKeyFrame)
      .map(([first, data]) => Uint8Array.of(first, ...data)),
  ),
  sequenceNumber: fc.oneof(fc.nat({ max: 8 }), fc.integer({ min: 65_530, max: 65_535 }), fc.nat({ max: 65_535 })),
  timestamp: fc.oneof(fc.nat({ max: 3 }), fc.nat()),
  marker: fc.boolean(),
});

test("packets of any content and order give frames, and hold at most what they contain", async () => {
  let frames = 0;
  const assembler = createFrameAssembler();
  await fuzz(fc.array(packet, { maxLength: 40 }), (packets) => {
    for (const each of packets) if (assembler.push(each) !== undefined) frames += 1;
    expect(assembler.bytes).toBeLessThanOrEqual(2 * 1024 * 1024);
  });
  expect(frames).toBeGreaterThan(10);
});

test("any loss and order of packets gives whole key frames only", async () => {
  const [one, two] = [keyFrame(640, 480, 5_000), keyFrame(320, 240, 7_000)];
  const sent = [
    ...packetize(one, { sequenceNumber: 65_533, timestamp: 1 }),
    ...packetize(two, { sequenceNumber: 2, timestamp: 2, descriptor: [0x80, 0x81, 0x23] }),
  ];
  const whole = new Set([one, two].map((frame) => Buffer.from(frame).toString("base64")));
  let complete = 0;
  await fuzz(fc.shuffledSubarray(sent, { minLength: 5 }), (packets) => {
    const assembler = createFrameAssembler();
    for (const each of packets) {
      const frame = assembler.push(each);
      if (frame === undefined) continue;
      complete += 1;
      expect(whole.has(Buffer.from(frame).toString("base64"))).toBe(true);
    }
  });
  expect(complete).toBeGreaterThan(100);
});

describe("1,000 packets:", () => {
  const filled = (first: number) => Uint8Array.of(first, ...new Uint8Array(1_200));
  const each = (change: (index: number) => object) =>
    Array.from({ length: 1_000 }, (_, index) => ({
      source: "camera" as const,
      payload: filled(0),
      sequenceNumber: index,
      timestamp: 1,
      marker: false,
      length: 1_201,
      ...change(index),
    }));

  test.each([
    ["one endless frame", each(() => ({}))],
    ["a frame per packet", each((index) => ({ timestamp: index }))],
    ["key frames that begin again and again", each(() => ({ payload: filled(0x10), sequenceNumber: 1 }))],
    ["last packets", each((index) => ({ marker: true, payload: filled(index === 0 ? 0x10 : 0) }))],
    ["empty payloads", each(() => ({ payload: Uint8Array.of(0x80, 0x80, 0x80), length: 3 }))],
  ])("%s", async (_, packets) => {
    const assembler = createFrameAssembler();
    await expectCost(packets, (received) => assembler.push(received), packetCost);
  });

  test("that nobody wants", async () => {
    const streams = createVideoStreams();
    streams.accept([{ source: "camera", mid: "1", vp8PayloadType: 96, midExtension: 4 } as never]);
    const datagram = Buffer.alloc(1_200, 0x60);
    const packets = Array.from({ length: 1_000 }, () => datagram);
    await expectCost(packets, (received) => streams.sort(received), { messageMicros: 2, byteMicros: 0 });
  });
});

test("a picture of 100 KB costs less than 1 ms", async () => {
  const clock = { now: () => 0, after: () => () => undefined };
  const peerVideo = {
    offered: ["camera"] as const,
    accepted: true,
    receive: () => undefined,
    requestKeyFrame: () => true,
  };
  const receiver = createVideoReceiver({ peerVideo: () => peerVideo, clock });
  const packets = packetize(keyFrame(1_280, 720, 100_000), { size: 1_100 });
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 20; round++) {
    const taken = receiver.video.snapshot({ source: "camera" });
    least = Math.min(
      least,
      await micros(async () => {
        packets.forEach(receiver.push);
        await taken;
      }),
    );
    await sleep(1);
  }
  expect(least).toBeLessThan(1_000);
});
