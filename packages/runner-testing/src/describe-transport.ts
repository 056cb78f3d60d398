import { AssertionError } from "node:assert";
import { inspect } from "node:util";
import { afterAll, beforeAll, describe, test } from "vitest";
import type { TransportAdapter } from "./adapter.ts";
import type { Requirement } from "./fixture.ts";
import { type RunOptions, runRequirement, selectRequirements } from "./requirements.ts";
import { interceptUncaughtErrors, type UncaughtErrors } from "./uncaught-errors.ts";

/** Declares a vitest test for every requirement that applies to a transport. Most of them run concurrently. */
export function describeTransport(adapter: TransportAdapter, options: RunOptions = {}): void {
  const applicable = selectRequirements(options.only).filter(({ exempts }) => exempts?.(adapter) === undefined);
  const timeout = 10 * (options.timeoutMs ?? 5_000);
  let uncaught: UncaughtErrors;

  function declare(requirement: Requirement): void {
    test(`${requirement.id} ${requirement.title}`, { timeout }, async () => {
      const { state, because, logged } = await runRequirement({ requirement, adapter }, uncaught, options);
      if (state !== "unmet") return;
      const lines = logged.map(({ level, message, fields }) => `${level}: ${message} ${inspect(fields)}`);
      throw new AssertionError({ message: [because, `Why it matters: ${requirement.reason}`, ...lines].join("\n") });
    });
  }

  describe(`the transport ${adapter.plugin.name}`, () => {
    beforeAll(() => {
      uncaught = interceptUncaughtErrors();
    });
    afterAll(() => uncaught.release());
    const alone = applicable.filter((requirement) => requirement.alone);
    const others = applicable.filter((requirement) => !requirement.alone);
    // vitest rejects a suite without tests.
    if (others.length > 0)
      (options.sequential ? describe : describe.concurrent)("concurrently", () => others.forEach(declare));
    if (alone.length > 0) describe("one at a time", () => alone.forEach(declare));
  });
}
