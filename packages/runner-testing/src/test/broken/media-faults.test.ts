import { expectFaults } from "./expect-faults.ts";
import { mediaFaults } from "./media-faults.ts";

expectFaults(mediaFaults);
