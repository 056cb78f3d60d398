import { AssertionError } from "node:assert";
import { inspect } from "node:util";
import { afterAll, beforeAll, describe, test } from "vitest";
import type { TransportAdapter } from "./adapter.ts";
import type { Requirement } from "./fixture.ts";
import { type Outcome, type RunOptions, runRequirement, selectRequirements } from "./requirements.ts";
import { interceptUncaughtErrors, type UncaughtErrors } from "./uncaught-errors.ts";

/** Declares a vitest test for every requirement that applies to a transport. Most of them run concurrently. */
export function describeTransport(adapter: TransportAdapter, options: RunOptions = {}): void {
  const applicable = selectRequirements(options.only).filter(({ exempts }) => exempts?.(adapter) === undefined);
  const timeout = 10 * (options.timeoutMs ?? 5_000);
  let uncaught: UncaughtErrors;

  const run = (requirement: Requirement) => runRequirement({ requirement, adapter }, uncaught, options);

  function declare(requirement: Requirement, start = run): void {
    test(`${requirement.id} ${requirement.title}`, { timeout }, async () => {
      const { state, because, logged } = await start(requirement);
      if (state !== "unmet") return;
      const lines = logged.map(({ level, message, fields }) => `${level}: ${message} ${inspect(fields)}`);
      throw new AssertionError({ message: [because, `Why it matters: ${requirement.reason}`, ...lines].join("\n") });
    });
  }

  function declareAll(all: readonly Requirement[]): void {
    for (const requirement of all) declare(requirement);
  }

  /** Declared last, they wait for a test that began with the first ones, and so do not take the place of others. */
  function declareLong(long: readonly Requirement[]): void {
    const started = new Map<Requirement, Promise<Outcome>>();
    // biome-ignore lint/correctness/noEmptyPattern: vitest requires a pattern.
    beforeAll(({}, { tasks }) => {
      const isSelected = ({ id }: Requirement) =>
        tasks.some(({ name, mode }) => name.startsWith(`${id} `) && mode !== "skip");
      for (const requirement of long) if (isSelected(requirement)) started.set(requirement, run(requirement));
    });
    for (const requirement of long) declare(requirement, (each) => started.get(each) ?? run(each));
  }

  describe(`the transport ${adapter.plugin.name}`, () => {
    beforeAll(() => {
      uncaught = interceptUncaughtErrors();
    });
    afterAll(() => uncaught.release());
    const alone = applicable.filter((requirement) => requirement.alone);
    const others = applicable.filter((requirement) => !requirement.alone);
    const long = others.filter((requirement) => requirement.long && !options.sequential);
    // vitest rejects a suite without tests.
    if (others.length > 0)
      (options.sequential ? describe : describe.concurrent)("concurrently", () => {
        declareAll(others.filter((requirement) => !long.includes(requirement)));
        if (long.length > 0) declareLong(long);
      });
    if (alone.length > 0) describe("one at a time", () => declareAll(alone));
  });
}
