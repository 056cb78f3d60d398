import { callFaults } from "./call-faults.ts";
import { expectFaults } from "./expect-faults.ts";

expectFaults(callFaults);
