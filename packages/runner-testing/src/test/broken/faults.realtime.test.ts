import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type Outcome, requirements, runRequirements } from "../../requirements.ts";
import { createPhoneAdapter } from "../phone/caller.ts";
import { acme } from "../phone/dialect.ts";
import { createTcpAdapter } from "../tcp/caller.ts";
import { callFaults } from "./call-faults.ts";
import { alter } from "./fault.ts";
import { mediaFaults } from "./media-faults.ts";
import { setupFaults } from "./setup-faults.ts";

// Each broken transport is tried with the requirements that must detect it, and without its fault: then it must meet them.

/** What no plugin can break, because the runner does it. */
const guaranteedByRunner = ["AUDIO-IN-2"];

const faults = [...setupFaults, ...mediaFaults, ...callFaults];
const releases: (() => void)[] = [];
const jobs = faults.flatMap((fault) =>
  requirements
    .filter(({ id }) => fault.breaks.includes(id))
    .map((requirement) => ({
      fault,
      requirement,
      adapter: withLightEntry(fault.adapter((release) => releases.push(release))),
    })),
);
const withoutFault = [createTcpAdapter(), createPhoneAdapter(acme)].flatMap((adapter) => {
  const ids = new Set(
    jobs.flatMap((job) => (job.adapter.plugin.name === adapter.plugin.name ? job.requirement.id : [])),
  );
  return requirements
    .filter(({ id, exempts }) => ids.has(id) && exempts?.(adapter) === undefined)
    .map((requirement) => ({ requirement, adapter: withLightEntry(alter({}, adapter)) }));
});
let outcomes: Outcome[] = [];

beforeAll(async () => {
  vi.spyOn(console, "info").mockImplementation(() => undefined); // one fault prints
  outcomes = await runRequirements([...jobs, ...withoutFault], { timeoutMs: 1_500 });
}, 120_000);
afterAll(() => {
  for (const release of releases) release();
});

test.each(jobs)("$requirement.id detects a transport that $fault.does", (job) => {
  expect(outcomes[jobs.indexOf(job)]).toMatchObject({ state: "unmet", because: expect.stringMatching(/\w/) });
});

test.each(withoutFault)("without a fault, the transport $adapter.plugin.name meets $requirement.id", (job) => {
  expect(outcomes[jobs.length + withoutFault.indexOf(job)]).toMatchObject({ state: "met", because: "" });
});

test("every requirement detects a fault", () => {
  const detected = new Set([...faults.flatMap(({ breaks }) => breaks), ...guaranteedByRunner]);
  expect(requirements.map(({ id }) => id).filter((id) => !detected.has(id))).toEqual([]);
});

/** Only the faults with a package of their own need to be imported in a new process. */
function withLightEntry(adapter: ReturnType<(typeof faults)[number]["adapter"]>) {
  return adapter.entry.endsWith(".ts") ? { ...adapter, entry: "data:text/javascript," } : adapter;
}
