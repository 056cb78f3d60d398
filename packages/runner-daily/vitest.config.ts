import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // One browser call at a time, and after the other projects: sound that is late for want of a core would count as a gap.
    fileParallelism: false,
    maxConcurrency: 1,
    sequence: { groupOrder: 2 },
  },
});
