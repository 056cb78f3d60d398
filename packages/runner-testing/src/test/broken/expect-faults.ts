import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TransportAdapter } from "../../adapter.ts";
import { type Outcome, runRequirements } from "../../run-requirement.ts";
import { createPhoneAdapter } from "../phone/adapter.ts";
import { acme } from "../phone/dialect.ts";
import { createTcpAdapter } from "../tcp/adapter.ts";
import type { Fault } from "./fault.ts";

/** Makes a test of each fault: the suite finds it, by the requirements meant for it, and finds nothing else. */
export function expectFaults(faults: readonly Fault[]): void {
  const releases: (() => void)[] = [];
  const toys = faults.map((fault) => ({
    ...fault,
    make: () => light(fault.adapter((release) => releases.push(release))),
  }));
  let outcomes = new Map<() => TransportAdapter, Outcome[]>();
  beforeAll(async () => {
    const makes = toys.map(({ make }) => make);
    outcomes = await runRequirements(makes, { patienceMs: 2_000 });
  }, 300_000);
  afterAll(() => {
    for (const release of releases) release();
  });

  describe("a toy that", () => {
    for (const { does, breaks, make } of toys) {
      test(`${does} fails ${breaks.join(", ")} and nothing else`, () => {
        const unmet = (outcomes.get(make) ?? []).filter(({ state }) => state === "unmet");
        const told = unmet.map(({ requirement, because }) => `${requirement.id}: ${because}`).join("\n");
        expect(unmet.map(({ requirement }) => requirement.id).sort(), told).toEqual([...breaks].sort());
      });
    }
  });
}

/** The toys' modules are imported by their own tests: to do so in a process for each fault would cost more than the rest. */
function light(adapter: TransportAdapter): TransportAdapter {
  const isToy = [createTcpAdapter(), createPhoneAdapter(acme)].some(({ entry }) => entry === adapter.entry);
  return isToy ? { ...adapter, entry: "data:text/javascript," } : adapter;
}
