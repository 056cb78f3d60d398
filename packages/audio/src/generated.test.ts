import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");

test("src/generated is what `pnpm generate` makes of wasm/filter.wat", () => {
  const made = execFileSync(process.execPath, [join(root, "wasm", "generate.ts"), "--print"], { encoding: "utf8" });
  expect(readFileSync(join(root, "src", "generated", "filter-module.ts"), "utf8")).toBe(made);
});
