import type { TransportAdapter } from "./adapter.ts";
import type { LoggedLine } from "./log.ts";
import type { Requirement } from "./requirement.ts";
import { requirements } from "./requirements.ts";
import { createStage, explain } from "./stage.ts";
import { interceptStrayErrors, type StrayErrors } from "./stray-errors.ts";
import { Unmet } from "./unmet.ts";

/** What came of trying one requirement on one transport. */
export interface Outcome {
  readonly requirement: Requirement;
  readonly state: "met" | "unmet" | "exempt";
  /** What was seen and what was wanted, or why it does not concern this transport; empty when it is met. */
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
  strays: StrayErrors,
  options: RunOptions = {},
): Promise<Outcome> {
  const exemption = requirement.exempts?.(adapter);
  if (exemption !== undefined) return { requirement, state: "exempt", because: exemption, logged: [] };
  const stage = createStage(adapter, strays, options.patienceMs ?? 5_000);
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
 * Tries every requirement on each of several transports, without a test runner: a dozen at once of those that may run
 * together, the rest one after the other. `make` is called for each, so that none sees what another left in its adapter.
 * One run at a time in a process.
 */
export async function runRequirements<Make extends () => TransportAdapter>(
  makes: readonly Make[],
  options: RunOptions = {},
): Promise<Map<Make, Outcome[]>> {
  const jobs = makes.flatMap((make) => requirements.map((requirement) => ({ make, requirement })));
  const outcomes = new Map<(typeof jobs)[number], Outcome>();
  const strays = interceptStrayErrors();
  const workOff = async (queue: Iterator<(typeof jobs)[number]> & Iterable<(typeof jobs)[number]>) => {
    for (const job of queue) outcomes.set(job, await runRequirement(job.requirement, job.make(), strays, options));
  };
  try {
    const together = jobs.filter(({ requirement }) => !requirement.alone).values();
    await Promise.all(Array.from({ length: atOnce }, () => workOff(together)));
    await workOff(jobs.filter(({ requirement }) => requirement.alone).values());
  } finally {
    strays.release();
  }
  const of = (make: Make) => jobs.filter((job) => job.make === make).flatMap((job) => outcomes.get(job) ?? []);
  return new Map(makes.map((make) => [make, of(make)]));
}

/** Few enough that one busy core keeps their audio in time. */
const atOnce = 12;
