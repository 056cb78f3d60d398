import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { countIdleCores } from "./scripts/idle-cores.ts";
import { findChromium } from "./scripts/test-tools.ts";

/** The tests of this repository in six tiers. The end of a file's name decides its tier. */
const folders = "{packages,apps,e2e,bench,scripts}";
const slow = `${folders}/**/*.slow.test.ts`;
const realtime = `${folders}/**/*.realtime.test.ts`;
const webrtc = `${folders}/**/*.webrtc.test.ts`;
const page = `${folders}/**/*.page.test.ts`;
const alone = `${folders}/**/*.alone.test.ts`;
const exclude = ["**/node_modules/**", "**/dist/**"];
const chromium = findChromium();
const coresAreIdle = (await countIdleCores()) > 1.5;

/** Starts the conformance tests first: they take long, although their files, by which vitest sorts, are short. */
class ConformanceFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const [conformance, others] = [files.filter(isConformance), files.filter((file) => !isConformance(file))];
    return [...conformance, ...(await super.sort(others))];
  }
}

function isConformance({ moduleId }: TestSpecification): boolean {
  return moduleId.includes("conformance");
}

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
    sequence: { sequencer: ConformanceFirst },
    projects: [
      {
        test: {
          name: "unit",
          include: [`${folders}/**/*.test.ts`],
          exclude: [...exclude, slow, realtime, webrtc, page, alone],
          // Files share a process, which saves a third of the time: a test that leaves something behind disturbs the next one.
          isolate: false,
          testTimeout: 15_000,
          expect: { poll: { timeout: 10_000 } },
          sequence: { groupOrder: 0 },
        },
      },
      // More files than cores: they wait most of the time.
      { test: { ...patient, name: "slow", include: [slow], maxWorkers: 4, sequence: { groupOrder: 1 } } },
      // A file needs a third of a core most of the time: three run at once if the cores are idle when the tests start. As above,
      // files share a process: loading the code again for each file would make calls in other files late.
      {
        test: {
          ...timed,
          name: "realtime",
          include: [realtime],
          isolate: false,
          maxWorkers: coresAreIdle ? 3 : 1,
          sequence: { groupOrder: 2 },
        },
      },
      // Three at once would be late: a WebRTC call costs more than others, and LiveKit's SDK more than that.
      {
        test: {
          ...timed,
          name: "webrtc",
          include: [webrtc],
          maxWorkers: coresAreIdle ? 2 : 1,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          ...timed,
          name: "page",
          include: [page],
          maxWorkers: coresAreIdle ? 2 : 1,
          sequence: { groupOrder: 4 },
        },
      },
      // These measure latency and gaps, or listen to a page, which plays audio late on two cores beside other files.
      {
        test: {
          ...timed,
          name: "alone",
          include: [alone],
          fileParallelism: false,
          maxConcurrency: 1,
          sequence: { groupOrder: 5 },
        },
      },
    ],
  },
});
