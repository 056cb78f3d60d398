import { expect, it } from "vitest";
import { createKernel } from "./kernel.ts";

it("a kernel stays small, whatever the ratio", () => {
  const ratios = [
    [2, 3],
    [160, 147],
    [191_999, 191_998],
    [1, 192],
    [192, 1],
    [191_999, 1_009],
    [1_009, 191_999],
    [192_000, 1_001],
  ] as const;
  const sizes = ratios.map(([from, to]) => createKernel(from, to).weights.length);
  expect(Math.max(...sizes)).toBeLessThan(31_000);
  expect(sizes[0]).toBe(4 * 48);
});
