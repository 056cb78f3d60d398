import { globSync, readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** Where a path of a page is: it leaves `packages/` out, unless it begins with another folder of the repository. */
const placed = (path: string) => (/^(apps|docs|e2e|packages)\//.test(path) ? path : `packages/${path}`);

/** The rows of a page's tables, without their heads, as cells. */
function rowsOf(page: string): string[][] {
  const tables = readFileSync(`${root}${page}`, "utf8").match(/(^\|.*\n)+/gm) ?? [];
  const rows = tables.flatMap((table) => table.trimEnd().split("\n").slice(2));
  return rows.map((row) => row.split(/(?<!\\)\|/).slice(1, -1)).map((row) => row.map((cell) => cell.trim()));
}

/** The tests that a cell names: `` `file` "title", "title" · `file` "title" ``. Nothing where it is something else. */
function testsIn(cell: string): (readonly [file: string, title: string])[] {
  const parts = cell.split(" · ").map((part) => part.match(/^`([^`]+\.ts)` ("[^"]+"(?:, "[^"]+")*)$/));
  if (parts.includes(null)) return [];
  return parts.flatMap((part) =>
    [...(part?.[2] ?? "").matchAll(/"([^"]+)"/g)].map(([, title = ""]) => [part?.[1] ?? "", title] as const),
  );
}

describe.each(["docs/decisions/0008-faults-not-inherited.md", "docs/parity.md"])("%s", (page) => {
  const rows = rowsOf(page);

  test("every row names tests, or says why it has none", () => {
    const cells = rows.map((row) => row.at(-1) ?? "");
    expect(cells.length).toBeGreaterThan(10);
    expect(cells.filter((cell) => testsIn(cell).length === 0 && !/^\*none\*: \w.{5,}/.test(cell))).toEqual([]);
  });

  test.each(rows.flatMap((row) => testsIn(row.at(-1) ?? "")))("%s has the test %s", (file, title) => {
    expect(readFileSync(`${root}${placed(file)}`, "utf8")).toContain(title);
  });
});

test("every row of docs/parity.md says in which file it is, or why it is different; the files are there", () => {
  for (const row of rowsOf("docs/parity.md")) {
    expect(row, row[0]).toHaveLength(4);
    const where = row[2] ?? "";
    const paths = [...where.matchAll(/`([\w*.-]+\/[^` ]*)`/g)].map(([, path = ""]) => path);
    if (paths.length === 0) expect(where).toMatch(/^\*different\*: \w.{5,}/);
    for (const path of paths) {
      const files = globSync(placed(path), { cwd: root });
      expect(files, path).not.toEqual([]);
      for (const file of files) expect(statSync(`${root}${file}`).isFile(), `${path} is a file`).toBe(true);
    }
  }
});
