import { defineConfig } from "vitest/config";

/** One file at a time, and after the other projects: a packet that is late for want of a core would count as a gap. */
export default defineConfig({
  test: { testTimeout: 30_000, fileParallelism: false, sequence: { groupOrder: 3 } },
});
