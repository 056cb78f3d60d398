import { expect, test } from "vitest";
import { NetworkMonitor } from "./network.ts";

const stats = (packetsReceived: number, packetsLost = 0) =>
  [
    { type: "inbound-rtp", kind: "video", packetsReceived: 9_999, packetsLost: 0, jitter: 1 },
    { type: "inbound-rtp", kind: "audio", packetsReceived, packetsLost, jitter: 0.004 },
    { type: "candidate-pair", nominated: false, state: "succeeded", currentRoundTripTime: 1 },
    { type: "candidate-pair", nominated: true, state: "succeeded", currentRoundTripTime: 0.025 },
  ] as never as RTCStats[];

test("reads round trip, jitter and the recent loss", () => {
  const monitor = new NetworkMonitor();
  expect(monitor.sample(0, stats(0))).toMatchObject({ roundTripMs: 25, jitterMs: 4, lossPercent: undefined });
  expect(monitor.sample(400, stats(18, 2)).lossPercent).toBe(10);
  for (let index = 1; index <= 25; index++) monitor.sample(400 * index, stats(18 + 20 * index, 2));
  expect(monitor.sample(11_000, stats(600, 2)).lossPercent).toBe(0);
});

test("reports silence within 2 s after the last packet, and its end with the next packet", () => {
  const monitor = new NetworkMonitor();
  const silentAt = [0, 400, 800, 1200, 1600, 2000].map(
    (atMs) => monitor.sample(atMs, stats(atMs === 0 ? 1 : 1)).silent,
  );
  expect(silentAt).toEqual([false, false, false, false, true, true]);
  expect(monitor.sample(2400, stats(2)).silent).toBe(false);
});

test("a new connection is silent until its first packet, and one that never got a packet is not", () => {
  const monitor = new NetworkMonitor(1_000);
  expect(monitor.sample(3_000, stats(0)).silent).toBe(true);
  expect(monitor.sample(3_400, stats(5)).silent).toBe(false);
  expect(new NetworkMonitor().sample(9_000, stats(0)).silent).toBe(false);
});
