import { afterAll, describe, expect, test } from "vitest";
import { runRequirements } from "../../run-requirement.ts";
import type { Fault } from "./fault.ts";

/** Makes a test of each fault: the suite finds it, by the requirements meant for it, and finds nothing else. */
export function expectFaults(faults: readonly Fault[]): void {
  const releases: (() => void)[] = [];
  afterAll(() => {
    for (const release of releases) release();
  });

  describe("a toy that", () => {
    for (const { does, breaks, adapter } of faults) {
      test(`${does} fails ${breaks.join(", ")} and nothing else`, { timeout: 60_000 }, async () => {
        const make = () => adapter((release) => releases.push(release));
        const outcomes = await runRequirements(make, { patienceMs: 1_500 });
        const unmet = outcomes.filter(({ state }) => state === "unmet");
        const told = unmet.map(({ requirement, because }) => `${requirement.id}: ${because}`).join("\n");
        expect(unmet.map(({ requirement }) => requirement.id).sort(), told).toEqual([...breaks].sort());
      });
    }
  });
}
