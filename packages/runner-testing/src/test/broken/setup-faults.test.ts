import { expectFaults } from "./expect-faults.ts";
import { setupFaults } from "./setup-faults.ts";

expectFaults(setupFaults);
