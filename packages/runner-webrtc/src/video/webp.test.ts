import { expect, test } from "vitest";
import { wrapInWebp } from "./webp.ts";

test.each([
  [4, "524946461000000057454250565038200400000001020304"],
  [3, "5249464610000000574542505650382003000000010203" + "00"],
])("wraps %i bytes in one chunk, padded to an even length", (length, hex) => {
  expect(Buffer.from(wrapInWebp(Uint8Array.of(1, 2, 3, 4).subarray(0, length))).toString("hex")).toBe(hex);
});
