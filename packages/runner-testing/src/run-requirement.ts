import type { TransportAdapter } from "./adapter.ts";
import type { LoggedLine } from "./log.ts";
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
  /** The warnings and errors that its runners logged. */
  readonly logged: readonly LoggedLine[];
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
  if (skipped !== undefined) return { requirement, state: "skipped", because: skipped, logged: [] };
  const stage = createStage(adapter, options.patienceMs ?? 5_000);
  const outcome = (state: Outcome["state"], because: string): Outcome => {
    const logged = stage.logger.lines.filter(({ level }) => level === "warn" || level === "error");
    return { requirement, state, because, logged };
  };
  try {
    await requirement.check(stage);
    return outcome("met", "");
  } catch (error) {
    return outcome("unmet", error instanceof Unmet ? error.message : explain(error));
  } finally {
    await stage.close();
  }
}

/**
 * Tries every requirement, outside any test runner: several of those that may run together at once, then one after the
 * other the rest. `make` is called for each, so that none sees what another left in its adapter.
 */
export async function runRequirements(make: () => TransportAdapter, options: RunOptions = {}): Promise<Outcome[]> {
  const outcomes = new Map<Requirement, Outcome>();
  const run = async (requirement: Requirement) => {
    outcomes.set(requirement, await runRequirement(requirement, make(), options));
  };
  const together = requirements.filter(({ alone }) => !alone).values();
  const worker = async () => {
    for (const requirement of together) await run(requirement);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  for (const requirement of requirements) if (requirement.alone) await run(requirement);
  return requirements.flatMap((requirement) => outcomes.get(requirement) ?? []);
}

/** Few enough that one busy core keeps their audio in time. */
const atOnce = 12;
