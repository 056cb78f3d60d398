import { setTimeout as pause } from "node:timers/promises";
import { startRedis } from "../e2e/fleet/redis.ts";
import type { NodeReport } from "../packages/runner-fleet/src/directory.ts";
import { createRedisDirectory } from "../packages/runner-fleet-redis/src/directory.ts";
import { type Figure, percentile } from "./figures.ts";
import { readProcess } from "./usage.ts";

const callsPerMinute = 10_000;
/** How long each call takes. */
const callMs = 60_000;
/** As in `runner-fleet`. */
const [claimMs, renewMs, leaseMs] = [120_000, 30_000, 5_000];

/** What a fleet of each size costs its Redis: beats, and the claims, renewals and releases of phone calls. Linux. */
export async function measureFleet(sizes: readonly number[], seconds: number): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const size of sizes) figures.push(...(await measureSize(size, seconds)));
  return figures;
}

async function measureSize(size: number, seconds: number): Promise<Figure[]> {
  await using redis = await startRedis();
  const directories = Array.from({ length: size }, () => createRedisDirectory(redis.url));
  const ids = directories.map((_, index) => index.toString(16).padStart(8, "0"));
  const beatTimes: number[] = [];
  let failures = 0;
  const failed = () => void failures++;
  const running = new Set<NodeJS.Timeout>();

  /** Acts once per period. The nodes are spread over it. */
  function every(periodMs: number, index: number, act: () => Promise<unknown>): void {
    const run = () => void act().catch(failed);
    const first = setTimeout(() => running.add(setInterval(run, periodMs)), (periodMs * index) / size);
    running.add(first);
  }

  function reportOf(index: number): NodeReport {
    const id = ids[index] as string;
    const startedAt = new Date().toISOString();
    return {
      id,
      address: "10.0.0.5:7861",
      version: "1.0.0",
      startedAt,
      state: "ready",
      active: 100,
      pending: 0,
      places: 120,
    };
  }

  directories.forEach((directory, index) => {
    const id = ids[index] as string;
    const calls = Math.round((callsPerMinute / 60_000) * (callMs / size));
    const keys = Array.from({ length: calls }, (_, call) => `${id}-${call}-0123456789abcdef0123456789ab`);
    let next = 0;
    every(1_000, index, async () => {
      const beganMs = performance.now();
      await directory.beat(reportOf(index), leaseMs);
      beatTimes.push(performance.now() - beganMs);
    });
    every(renewMs, index, () => directory.renew(keys, id, claimMs));
    every(callMs / calls, index, async () => {
      const key = `${id}-new-${next++}-0123456789abcdef0123456789ab`;
      await directory.claim(key, id, claimMs);
      await directory.release(key, id);
    });
  });
  // By then, all nodes have joined.
  await pause(3_000);
  beatTimes.length = 0;
  const before = readProcess(redis.pid);
  await pause(seconds * 1000);
  const after = readProcess(redis.pid);
  for (const timer of running) clearInterval(timer);
  await Promise.all(directories.map((directory) => directory.close().catch(() => undefined)));
  const name = `a fleet of ${size} nodes, ${callsPerMinute} calls a minute`;
  return [
    { name: `${name}: Redis`, value: (after.cpuMs - before.cpuMs) / seconds / 10, unit: "% of a core" },
    { name: `${name}: beat p99`, value: percentile(beatTimes, 0.99), unit: "ms" },
    { name: `${name}: failed requests`, value: failures, unit: "" },
  ];
}
