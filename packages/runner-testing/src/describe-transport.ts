import { AssertionError } from "node:assert";
import { inspect } from "node:util";
import { afterAll, beforeAll, describe, test } from "vitest";
import type { TransportAdapter } from "./adapter.ts";
import type { RunOptions } from "./fixture.ts";
import {
  type Job,
  type Outcome,
  runRequirement,
  runsWithOthers,
  selectRequirements,
  startRequirements,
} from "./requirements.ts";
import { interceptUncaughtErrors, type UncaughtErrors } from "./uncaught-errors.ts";

/** Declares a vitest test for every requirement that applies to a transport. Most of them are checked at the same time. */
export function describeTransport(adapter: TransportAdapter, options: RunOptions = {}): void {
  const jobs = selectRequirements(options.only)
    .filter(({ exempts }) => exempts?.(adapter) === undefined)
    .map((requirement): Job => ({ requirement, adapter }));
  const timeout = 10 * (options.timeoutMs ?? 5_000);
  const started = new Map<Job, Promise<Outcome>>();
  let stop: () => Promise<void>;
  let uncaught: UncaughtErrors;

  function declare(job: Job): void {
    const { id, title, reason } = job.requirement;
    test(`${id} ${title}`, { timeout }, async () => {
      const { state, because, logged } = await (started.get(job) ?? runRequirement(job, uncaught, options));
      // A repeated test checks again.
      started.delete(job);
      if (state !== "unmet") return;
      const lines = logged.map(({ level, message, fields }) => `${level}: ${message} ${inspect(fields)}`);
      throw new AssertionError({ message: [because, `Why it matters: ${reason}`, ...lines].join("\n") });
    });
  }

  // Those that need the process for themselves come last.
  describe(`the transport ${adapter.plugin.name}`, { shuffle: false, concurrent: false }, () => {
    // biome-ignore lint/correctness/noEmptyPattern: vitest requires a pattern.
    beforeAll(({}, { tasks }) => {
      uncaught = interceptUncaughtErrors();
      const isSelected = ({ requirement: { id } }: Job) =>
        tasks.some(({ name, mode }) => name.startsWith(`${id} `) && mode !== "skip");
      const selected = jobs.filter(runsWithOthers).filter(isSelected);
      const jobsInProgress = startRequirements(selected, uncaught, options);
      stop = jobsInProgress.stop;
      for (const [job, outcome] of jobsInProgress.outcomes) started.set(job, outcome);
    });
    afterAll(async () => {
      await stop();
      uncaught.release();
    }, timeout);

    for (const turn of [undefined, "alone", "first", "last"] as const) {
      for (const job of jobs.filter(({ requirement }) => requirement.turn === turn)) declare(job);
    }
  });
}
