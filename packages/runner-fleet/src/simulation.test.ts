import { createRecordingLogger } from "@pipecat-ts/runner-testing";
import { expect, test, vi } from "vitest";
import { createMemoryDirectory, type NodeReport } from "./directory.ts";
import { createMembership } from "./membership.ts";
import { chooseNodes } from "./placement.ts";

/** Calls that arrive in one minute, how long each takes, and the nodes that share them. */
const [callsPerMinute, callMs, nodeCount, placesEach] = [10_000, 60_000, 100, 120];
/** Half of the callers arrive at these nodes, which are full after a few seconds. */
const popular = 10;

test("100 nodes take 10,000 calls a minute without refusing one, although reports are up to a second old", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  const directory = createMemoryDirectory();
  const logger = createRecordingLogger();
  const nodes = await Promise.all(
    Array.from({ length: nodeCount }, async (_, index) => {
      const id = index.toString(16).padStart(8, "0");
      const membership = createMembership(directory, logger, () => undefined);
      const node = { id, active: 0, membership };
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
    setTimeout(() => void taker.active--, callMs);
  }
  for (let call = 0; call < callsPerMinute; call++) {
    const range = call % 2 === 0 ? popular : nodeCount;
    begin(nodes[Math.floor(call / 2) % range] as (typeof nodes)[number]);
    if (call % 100 === 99) await vi.advanceTimersByTimeAsync((60_000 / callsPerMinute) * 100);
  }
  const loads = nodes.map(({ active }) => active);
  vi.useRealTimers();
  expect(refused).toBe(0);
  expect(forwarded).toBeGreaterThan(3_000);
  expect(mostAsked).toBeLessThanOrEqual(3);
  expect(Math.max(...loads)).toBeLessThanOrEqual(placesEach);
  // The nodes that are not popular share what the others cannot take.
  const others = loads.slice(popular);
  expect(Math.max(...others) - Math.min(...others)).toBeLessThan(20);
});
