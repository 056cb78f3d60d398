import { beforeAll, vi } from "vitest";
import { expectFaults } from "./expect-faults.ts";
import { setupFaults } from "./setup-faults.ts";

// One of them prints what it must not.
beforeAll(() => {
  vi.spyOn(console, "info").mockImplementation(() => undefined);
});
expectFaults(setupFaults);
