import { inspect } from "node:util";
import { afterAll, beforeAll, describe, test } from "vitest";
import type { TransportAdapter } from "./adapter.ts";
import type { Requirement } from "./requirement.ts";
import { requirements } from "./requirements.ts";
import { type RunOptions, runRequirement } from "./run-requirement.ts";
import { interceptStrayErrors, type StrayErrors } from "./stray-errors.ts";
import { Unmet } from "./unmet.ts";

/** Makes a vitest test of every requirement that concerns a transport. Those that may run together do. */
export function describeTransport(adapter: TransportAdapter, options: RunOptions = {}): void {
  const concerning = requirements.filter(({ exempts }) => exempts?.(adapter) === undefined);
  const timeout = 10 * (options.patienceMs ?? 5_000);
  let strays: StrayErrors;

  function declare(requirement: Requirement): void {
    test(`${requirement.id} ${requirement.title}`, { timeout }, async () => {
      const { state, because, logged } = await runRequirement(requirement, adapter, strays, options);
      if (state !== "unmet") return;
      const lines = logged.map(({ level, message, fields }) => `${level}: ${message} ${inspect(fields)}`);
      throw new Unmet([because, `Why it matters: ${requirement.reason}`, ...lines].join("\n"));
    });
  }

  describe(`the transport ${adapter.plugin.name}`, () => {
    beforeAll(() => {
      strays = interceptStrayErrors();
    });
    afterAll(() => strays.release());
    describe.concurrent("among others", () => {
      concerning.filter(({ alone }) => !alone).forEach(declare);
    });
    describe("alone in its process", () => {
      concerning.filter(({ alone }) => alone).forEach(declare);
    });
  });
}
