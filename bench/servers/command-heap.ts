/** Gives this process the heap that the command `pipecat-runner` has. Import it before everything else. */
import { tuneGarbageCollection } from "../../packages/runner-cli/src/garbage-collection.ts";

tuneGarbageCollection();
