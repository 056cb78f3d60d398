import { expect, test, vi } from "vitest";
import { createMemoryDirectory, parseNodeReport } from "./directory.ts";
import { describeDirectory, reportOf } from "./test/directory-checks.ts";

describeDirectory("in memory", createMemoryDirectory, async (ms) => {
  const now = performance.now();
  vi.spyOn(performance, "now").mockReturnValue(now + ms);
});

test("only complete reports of nodes are read", () => {
  const report = reportOf("0000000a");
  expect(parseNodeReport(JSON.stringify(report))).toEqual(report);
  for (const change of [
    { id: "x" },
    { places: -1 },
    { state: "gone" },
    { address: "x".repeat(300) },
    { active: "1" },
  ]) {
    expect(parseNodeReport(JSON.stringify({ ...report, ...change }))).toBeUndefined();
  }
  expect(parseNodeReport("{")).toBeUndefined();
});
