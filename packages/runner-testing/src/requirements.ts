import type { TransportAdapter } from "./adapter.ts";
import { createFixture, explain, type Requirement } from "./fixture.ts";
import type { LoggedLine } from "./log.ts";
import { access } from "./requirements/access.ts";
import { audio } from "./requirements/audio.ts";
import { endings } from "./requirements/endings.ts";
import { failures } from "./requirements/failures.ts";
import { interruption } from "./requirements/interruption.ts";
import { isolation } from "./requirements/isolation.ts";
import { leaks } from "./requirements/leaks.ts";
import { messages } from "./requirements/messages.ts";
import { plugin } from "./requirements/plugin.ts";
import { secrets } from "./requirements/secrets.ts";
import { sessions } from "./requirements/sessions.ts";
import { shutdown } from "./requirements/shutdown.ts";
import { interceptUncaughtErrors, type UncaughtErrors } from "./uncaught-errors.ts";

/** Everything that a transport must do, in the order of a report. */
export const requirements: readonly Requirement[] = [
  ...plugin,
  ...sessions,
  ...access,
  ...audio,
  ...interruption,
  ...messages,
  ...endings,
  ...failures,
  ...isolation,
  ...shutdown,
  ...leaks,
  ...secrets,
];

/** The result of one requirement for one transport. */
export interface Outcome {
  readonly requirement: Requirement;
  readonly state: "met" | "unmet" | "exempt";
  /** What was found and what was expected, or why the requirement does not apply; empty when it is met. */
  readonly because: string;
  /** Warnings and errors that the runners logged. */
  readonly logged: readonly LoggedLine[];
}

/** How requirements are checked. */
export interface RunOptions {
  /** How long each expected event may take, in ms. Default 5,000. */
  readonly timeoutMs?: number;
  /** Checks one requirement at a time in vitest, for media that needs a whole processor. Default false. */
  readonly sequential?: boolean;
  /** The ids of the requirements to check in vitest, or how these ids begin. Default: all that apply. */
  readonly only?: readonly string[];
}

/** The requirements with these ids, or with ids that begin like this. Throws for an id that does not exist. */
export function selectRequirements(ids: readonly string[] = [""]): readonly Requirement[] {
  const unknown = ids.find((id) => !requirements.some((requirement) => requirement.id.startsWith(id)));
  if (unknown !== undefined) throw new Error(`No requirement has the id "${unknown}", or one that begins like this.`);
  return requirements.filter((requirement) => ids.some((id) => requirement.id.startsWith(id)));
}

/** One requirement to check on one transport. */
export interface Job {
  readonly requirement: Requirement;
  readonly adapter: TransportAdapter;
}

/** Checks one requirement. Never rejects: the outcome has the error. */
export async function runRequirement(
  { requirement, adapter }: Job,
  uncaught: UncaughtErrors,
  options: RunOptions = {},
): Promise<Outcome> {
  const exemption = requirement.exempts?.(adapter);
  if (exemption !== undefined) return { requirement, state: "exempt", because: exemption, logged: [] };
  const fixture = createFixture(adapter, uncaught, options.timeoutMs ?? 5_000);
  const outcome = (state: Outcome["state"], because: string): Outcome => {
    const logged = fixture.logger.lines.filter(({ level }) => level === "warn" || level === "error");
    return { requirement, state, because, logged };
  };
  try {
    await requirement.check(fixture);
    return outcome("met", "");
  } catch (error) {
    return outcome("unmet", explain(error));
  } finally {
    await fixture.close();
  }
}

/**
 * Checks requirements without a test runner, and returns the outcomes in the order of `jobs`: up to 12 at the same time,
 * those that need the process for themselves one after the other. One run at a time in a process.
 */
export async function runRequirements(jobs: readonly Job[], options: RunOptions = {}): Promise<Outcome[]> {
  const outcomes = new Map<Job, Outcome>();
  const uncaught = interceptUncaughtErrors();
  const work = async (queue: Iterator<Job> & Iterable<Job>) => {
    for (const job of queue) outcomes.set(job, await runRequirement(job, uncaught, options));
  };
  try {
    const concurrent = jobs.filter(({ requirement }) => !requirement.alone);
    const isLong = ({ requirement }: Job) => requirement.long === true;
    // The others run in the meantime.
    const together = concurrent.toSorted((a, b) => Number(isLong(b)) - Number(isLong(a))).values();
    await Promise.all(Array.from({ length: concurrency }, () => work(together)));
    await work(jobs.filter(({ requirement }) => requirement.alone).values());
  } finally {
    uncaught.release();
  }
  return jobs.flatMap((job) => outcomes.get(job) ?? []);
}

/** Few enough that one busy core plays their audio in time. */
const concurrency = 12;
