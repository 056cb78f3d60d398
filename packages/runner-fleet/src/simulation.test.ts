import { createRecordingLogger } from "@pipecat-ts/runner-testing";
import { expect, test, vi } from "vitest";
import { createMemoryDirectory, type Directory, type NodeReport } from "./directory.ts";
import { createMembership } from "./membership.ts";
import { chooseNodes } from "./placement.ts";

/** Calls that arrive in one minute, how long each takes, and the nodes that share them. */
const [callsPerMinute, callMs, nodeCount, placesEach] = [10_000, 60_000, 100, 120];
/** How long claims last, and how often they are renewed, as in `fleet.ts`, in ms. */
const [claimMs, renewMs] = [120_000, 30_000];
/** Half of the callers arrive at these nodes, which are full after a few seconds. */
const popular = 10;

test("100 nodes take 10,000 calls a minute without refusing one, although reports are up to a second old", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  const load = { beats: 0, reports: 0, claims: 0, renewals: 0, releases: 0 };
  const directory = countLoad(createMemoryDirectory(), load);
  const logger = createRecordingLogger();
  const nodes = await Promise.all(
    Array.from({ length: nodeCount }, async (_, index) => {
      const id = index.toString(16).padStart(8, "0");
      const claimed = new Set<string>();
      let renewAtMs = 0;
      const membership = createMembership(directory, logger, () => {
        if (performance.now() < renewAtMs) return;
        renewAtMs = performance.now() + renewMs;
        if (claimed.size > 0) void directory.renew([...claimed], id, claimMs);
      });
      const node = { id, active: 0, membership, claimed };
      const report = (): NodeReport => ({
        ...{ id, address: "x:1", version: "1", startedAt: "", state: "ready" },
        ...{ active: node.active, pending: 0, places: placesEach },
      });
      await membership.join(report);
      return node;
    }),
  );
  const byId = new Map(nodes.map((node) => [node.id, node]));
  await vi.advanceTimersByTimeAsync(1_300);

  for (const each of Object.keys(load)) load[each as keyof typeof load] = 0;
  let calls = 0;
  let refused = 0;
  let forwarded = 0;
  let mostAsked = 0;
  function begin(at: (typeof nodes)[number]): void {
    const order = [at, ...chooseNodes(at.membership.nodes.values()).map(({ id }) => byId.get(id))];
    const index = order.findIndex((node) => node !== undefined && node.active < placesEach);
    const taker = order[index];
    if (!taker) return void refused++;
    mostAsked = Math.max(mostAsked, index);
    if (index > 0) forwarded += 1;
    taker.active += 1;
    const key = String(calls++);
    taker.claimed.add(key);
    void directory.claim(key, taker.id, claimMs);
    setTimeout(() => {
      taker.active--;
      taker.claimed.delete(key);
      void directory.release(key, taker.id);
    }, callMs);
  }
  for (let call = 0; call < callsPerMinute; call++) {
    const range = call % 2 === 0 ? popular : nodeCount;
    begin(nodes[Math.floor(call / 2) % range] as (typeof nodes)[number]);
    if (call % 100 === 99) await vi.advanceTimersByTimeAsync((60_000 / callsPerMinute) * 100);
  }
  // As in docs/scaling.md.
  const perSecond = Object.fromEntries(Object.entries(load).map(([name, count]) => [name, Math.round(count / 60)]));
  const loads = nodes.map(({ active }) => active);
  vi.useRealTimers();
  expect(perSecond.claims).toBe(167);
  expect(perSecond.beats).toBeGreaterThan(95);
  expect(perSecond.beats).toBeLessThan(105);
  // Each beat reads the reports of all nodes: the load grows with the square of their number.
  expect(load.reports).toBe(load.beats * nodeCount);
  expect(perSecond.renewals).toBeLessThan(callsPerMinute / 30);
  expect(refused).toBe(0);
  expect(forwarded).toBeGreaterThan(3_000);
  expect(mostAsked).toBeLessThanOrEqual(3);
  expect(Math.max(...loads)).toBeLessThanOrEqual(placesEach);
  // The nodes that are not popular share what the others cannot take.
  const others = loads.slice(popular);
  expect(Math.max(...others) - Math.min(...others)).toBeLessThan(20);
});

/** Counts what the nodes ask of the directory. */
function countLoad(
  directory: Directory,
  load: Record<"beats" | "reports" | "claims" | "renewals" | "releases", number>,
) {
  return {
    ...directory,
    async beat(...args: Parameters<Directory["beat"]>) {
      load.beats++;
      const reports = await directory.beat(...args);
      load.reports += reports.length;
      return reports;
    },
    async claim(...args: Parameters<Directory["claim"]>) {
      load.claims++;
      return await directory.claim(...args);
    },
    async renew(...args: Parameters<Directory["renew"]>) {
      load.renewals += args[0].length;
      await directory.renew(...args);
    },
    async release(...args: Parameters<Directory["release"]>) {
      load.releases++;
      await directory.release(...args);
    },
  };
}
