import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    globalSetup: "./build-client.ts",
    // A browser is slow to start where two cores are all there is, and every journey listens for some seconds.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // One browser at a time, and after the other projects: sound that is late for want of a core would count as a gap.
    fileParallelism: false,
    sequence: { groupOrder: 1 },
  },
});
