import { setTimeout as sleep } from "node:timers/promises";
import type { TransportAdapter } from "./adapter.ts";
import { createFixture, explain, type Requirement, type RunOptions } from "./fixture.ts";
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
  const fixture = createFixture(adapter, uncaught, options);
  const outcome = (state: Outcome["state"], because: string): Outcome => {
    const logged = fixture.logger.lines.filter(({ level }) => level === "warn" || level === "error");
    return { requirement, state, because, logged };
  };
  const failed = (error: unknown) => outcome("unmet", explain(error));
  const checked = await requirement.check(fixture).then(() => outcome("met", ""), failed);
  const closed = await fixture.close().then(() => checked, failed);
  return checked.state === "met" ? closed : checked;
}

/** Whether a job may run at the same time as others. */
export function runsWithOthers({ requirement: { turn } }: Job): boolean {
  return turn === undefined || turn === "first";
}

/** Jobs in progress. */
interface StartedJobs {
  readonly outcomes: ReadonlyMap<Job, Promise<Outcome>>;
  /** Starts no further job. Resolves when those in progress have ended; the outcomes of the others stay pending. */
  stop(): Promise<void>;
}

/** Starts jobs that may run at the same time: at most 8, or one with `options.sequential`. Those that take long begin first. */
export function startRequirements(
  jobs: readonly Job[],
  uncaught: UncaughtErrors,
  options: RunOptions = {},
): StartedJobs {
  let stopped = false;
  const outcomes = new Map(jobs.map((job) => [job, Promise.withResolvers<Outcome>()]));
  const isFirst = ({ requirement }: Job) => requirement.turn === "first";
  const queue = jobs.toSorted((a, b) => Number(isFirst(b)) - Number(isFirst(a))).values();
  let lastStart = Promise.resolve();
  const work = async () => {
    for (const job of queue) {
      lastStart = lastStart.then(eventLoopIsIdle);
      await lastStart;
      if (stopped) return;
      outcomes.get(job)?.resolve(await runRequirement(job, uncaught, options));
    }
  };
  const working = Array.from({ length: options.sequential ? 1 : concurrency }, work);
  return {
    outcomes: new Map(Array.from(outcomes, ([job, { promise }]) => [job, promise])),
    async stop() {
      stopped = true;
      await Promise.all(working);
    },
  };
}

/**
 * Checks requirements without a test runner, and returns the outcomes in the order of `jobs`: several at the same time, those
 * that need the process for themselves one after the other. One run at a time in a process.
 */
export async function runRequirements(jobs: readonly Job[], options: RunOptions = {}): Promise<Outcome[]> {
  const outcomes = new Map<Job, Outcome>();
  const uncaught = interceptUncaughtErrors();
  try {
    const together = jobs.filter(runsWithOthers);
    for (const [job, outcome] of startRequirements(together, uncaught, options).outcomes)
      outcomes.set(job, await outcome);
    for (const job of jobs) if (!runsWithOthers(job)) outcomes.set(job, await runRequirement(job, uncaught, options));
  } finally {
    uncaught.release();
  }
  return jobs.flatMap((job) => outcomes.get(job) ?? []);
}

/** Few enough that one busy core plays their audio in time. */
const concurrency = 8;
/** A timer of `idleMs` that is at most `idleDelayMs` late shows an idle event loop. After `maxChecks` checks, the next job starts anyway. */
const idleMs = 20;
const idleDelayMs = 10;
const maxChecks = 50;

/** Waits until the connections of the jobs before no longer block the event loop: many of them at once would sound like a fault. */
async function eventLoopIsIdle(): Promise<void> {
  for (let check = 0; check < maxChecks; check++) {
    const startedMs = performance.now();
    await sleep(idleMs);
    if (performance.now() - startedMs < idleMs + idleDelayMs) return;
  }
}
