import { defineConfig } from "vitest/config";
import { countIdleCores } from "./scripts/idle-cores.ts";
import { findChromium } from "./scripts/test-tools.ts";

/** The tests of this repository in five tiers. The end of a file's name decides its tier. */
const folders = "{packages,apps,e2e,bench,scripts}";
const slow = `${folders}/**/*.slow.test.ts`;
const realtime = `${folders}/**/*.realtime.test.ts`;
const page = `${folders}/**/*.page.test.ts`;
const browser = `${folders}/**/*.browser.test.ts`;
const exclude = ["**/node_modules/**", "**/dist/**"];
const chromium = findChromium();

const patient = {
  exclude,
  testTimeout: 60_000,
  hookTimeout: 60_000,
  expect: { poll: { timeout: 10_000 } },
  globalSetup: "./e2e/build-client.ts",
};
/** Audio that is late because another program uses the processor counts as a gap. */
const timed = {
  ...patient,
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
          exclude: [...exclude, slow, realtime, page, browser],
          // Files share a process, which saves a third of the time: a test that leaves something behind disturbs the next one.
          isolate: false,
          testTimeout: 15_000,
          expect: { poll: { timeout: 10_000 } },
          sequence: { groupOrder: 0 },
        },
      },
      // More files than cores: they wait most of the time.
      { test: { ...patient, name: "slow", include: [slow], maxWorkers: 4, sequence: { groupOrder: 1 } } },
      // A file needs a third of a core most of the time: two run at once if two cores are idle when the tests start. With three, LiveKit is late.
      {
        test: {
          ...timed,
          name: "realtime",
          include: [realtime],
          maxWorkers: (await countIdleCores()) > 1.5 ? 2 : 1,
          sequence: { groupOrder: 2 },
        },
      },
      { test: { ...timed, name: "page", include: [page], maxWorkers: 2, sequence: { groupOrder: 3 } } },
      // One browser call at a time: several of them need more than two cores.
      {
        test: {
          ...timed,
          name: "browser",
          include: [browser],
          fileParallelism: false,
          maxConcurrency: 1,
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
});
