import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const root = new URL("../../../", import.meta.url);
const page = readFileSync(new URL("docs/decisions/0008-faults-not-inherited.md", root), "utf8");
const rows = [...page.matchAll(/\| `([^`]+)` "([^"]+)" \|$/gm)].map(
  ([, file = "", name = ""]) => [file, name] as const,
);

test("every row names a test", () => {
  expect(rows).toHaveLength((page.match(/^\|/gm)?.length ?? 0) - 2);
});

test.each(rows)("%s has what the page says: %s", (file, name) => {
  expect(readFileSync(new URL(file, root), "utf8")).toContain(name);
});
