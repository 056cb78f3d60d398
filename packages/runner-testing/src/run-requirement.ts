import type { TransportAdapter } from "./adapter.ts";
import type { Requirement } from "./requirement.ts";
import { requirements } from "./requirements.ts";
import { createStage, explain } from "./stage.ts";
import { Unmet } from "./unmet.ts";

/** What came of trying one requirement on one transport. */
export interface Outcome {
  readonly requirement: Requirement;
  readonly state: "met" | "unmet" | "skipped";
  /** What was seen and what was wanted, or why it was skipped; empty when it is met. */
  readonly because: string;
}

/** How requirements are tried. */
export interface RunOptions {
  /** How long what must happen may take, in ms. Default 5,000. */
  readonly patienceMs?: number;
}

/** Tries one requirement. Never rejects: what was thrown is in the outcome. */
export async function runRequirement(
  requirement: Requirement,
  adapter: TransportAdapter,
  options: RunOptions = {},
): Promise<Outcome> {
  const skipped = requirement.skip?.(adapter);
  if (skipped !== undefined) return { requirement, state: "skipped", because: skipped };
  const stage = createStage(adapter, options.patienceMs ?? 5_000);
  try {
    await requirement.check(stage);
    return { requirement, state: "met", because: "" };
  } catch (error) {
    return { requirement, state: "unmet", because: error instanceof Unmet ? error.message : explain(error) };
  } finally {
    await stage.close();
  }
}

/** Tries every requirement, those that may together at once, outside any test runner. */
export async function runRequirements(adapter: TransportAdapter, options: RunOptions = {}): Promise<Outcome[]> {
  const outcomes = new Map<Requirement, Outcome>();
  const run = async (requirement: Requirement) => {
    outcomes.set(requirement, await runRequirement(requirement, adapter, options));
  };
  await Promise.all(requirements.filter(({ alone }) => !alone).map(run));
  for (const requirement of requirements) if (requirement.alone) await run(requirement);
  return requirements.flatMap((requirement) => outcomes.get(requirement) ?? []);
}
