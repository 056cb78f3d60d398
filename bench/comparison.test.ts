import { expect, test } from "vitest";
import { compare, formatChanges, type Series } from "./comparison.ts";

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
