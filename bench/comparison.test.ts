import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { compare, formatChanges, merge, type Series } from "./comparison.ts";

const series = (values: readonly number[], moreIsBetter = false): Series[] => [
  { name: "cost", unit: "ms", values, moreIsBetter },
];

test.each([
  ["worse", [10, 11, 12], [14, 15, 16], false],
  ["better", [14, 15, 16], [10, 11, 12], false],
  ["better", [10, 11, 12], [14, 15, 16], true],
  ["noise", [10, 11, 15], [14, 15, 16], false],
  ["noise", [100], [104], false],
  ["worse", [100], [111], false],
])("a figure is %s: %j → %j", (verdict, before, after, moreIsBetter) => {
  expect(compare(series(before), series(after, moreIsBetter))).toMatchObject([{ verdict }]);
});

test("only figures of both measurements are compared, by their medians", () => {
  const changes = compare(series([10, 11, 12]), [...series([20, 22, 24]), { name: "new", unit: "MB", values: [1] }]);
  expect(changes).toEqual([{ name: "cost", unit: "ms", before: 11, after: 22, worsePercent: 100, verdict: "worse" }]);
  expect(formatChanges(changes)).toContain("| cost | 11 ms | 22 ms | worse (+100 %) |");
});

test("the runs of a later measurement are added, figure by figure", () => {
  const [other] = series([7]).map((each) => ({ ...each, name: "other" }));
  expect(merge([], series([1]))).toEqual(series([1]));
  expect(merge(series([1, 2]), [...series([3]), ...(other ? [other] : [])])).toEqual([...series([1, 2, 3]), other]);
});

test("the command exits with 3 for a figure that is worse, which a crash does not", () => {
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const write = (name: string, value: number) =>
    writeFileSync(join(folder, name), JSON.stringify({ figures: series([value]) }));
  write("old.json", 100);
  write("worse.json", 115);
  const program = join(import.meta.dirname, "index.ts");
  const args = [program, "--compare", "old.json", "worse.json,worse.json"];
  expect(spawnSync(process.execPath, args, { cwd: folder, stdio: "ignore" }).status).toBe(3);
});
