import { defineConfig } from "vitest/config";
import { findChromium } from "./scripts/test-tools.ts";

/** The tests of this repository in three tiers. The end of a file's name decides its tier. */
const folders = "{packages,apps,e2e,bench,scripts}";
const realtime = `${folders}/**/*.realtime.test.ts`;
const browser = `${folders}/**/*.browser.test.ts`;
const exclude = ["**/node_modules/**", "**/dist/**"];
const chromium = findChromium();

/** One file at a time: audio that is late because another test uses the processor would count as a gap. */
const slow = {
  exclude,
  testTimeout: 60_000,
  hookTimeout: 60_000,
  expect: { poll: { timeout: 10_000 } },
  fileParallelism: false,
  globalSetup: "./e2e/build-client.ts",
  ...(chromium !== undefined && { env: { PIPECAT_CHROMIUM: chromium } }),
};

export default defineConfig({
  test: {
    maxWorkers: "100%",
    projects: [
      {
        test: {
          name: "unit",
          include: [`${folders}/**/*.test.ts`],
          exclude: [...exclude, realtime, browser],
          // Files share a process, which saves a third of the time: a test that leaves something behind disturbs the next one.
          isolate: false,
          testTimeout: 15_000,
          expect: { poll: { timeout: 10_000 } },
          sequence: { groupOrder: 0 },
        },
      },
      { test: { ...slow, name: "realtime", include: [realtime], sequence: { groupOrder: 1 } } },
      // One browser call at a time: several of them need more than two cores.
      { test: { ...slow, name: "browser", include: [browser], maxConcurrency: 1, sequence: { groupOrder: 2 } } },
    ],
  },
});
