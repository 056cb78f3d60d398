import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { clientOffers } from "../packages/runner-webrtc/src/peer/test/offers.ts";

// Checks docs/clients.md.

const docs = join(import.meta.dirname, "../docs");
const page = readFileSync(join(docs, "clients.md"), "utf8");
const links = new Map([...page.matchAll(/^\[(\w+)\]: (\S+)$/gm)].map(([, name = "", file = ""]) => [name, file]));

/** The cells of the rows of a table whose header starts with `first`. */
function rowsOf(first: string): string[][] {
  const [, rows = ""] = page.split(new RegExp(`^\\| ${first} \\|.*\\n\\|[-|]+\\|\\n`, "m"));
  const lines = rows.slice(0, rows.indexOf("\n\n")).split("\n");
  return lines.map((line) => line.slice(2, -2).split(" | "));
}

describe("the table of clients", () => {
  const clients = rowsOf("client");

  test("has a test or a reason in each cell", () => {
    expect(clients.length).toBeGreaterThan(15);
    for (const [client, ...cells] of clients) {
      expect(cells, client).toHaveLength(8);
      for (const cell of cells) expect(cell, client).toMatch(/^(\[(run|like)\]\[\w+\](, \S.+)?|not run: \S.+)$/);
    }
  });

  test("uses each link, and defines it as a test that exists", () => {
    const used = new Set(clients.flat().flatMap((cell) => cell.match(/\]\[(\w+)\]/)?.[1] ?? []));
    expect([...used].sort()).toEqual([...links.keys()]);
    for (const file of links.values()) {
      expect(file).toMatch(/\.test\.ts$/);
      expect(existsSync(join(docs, file)), file).toBe(true);
    }
  });
});

test("the table of offers has every offer that is tested", () => {
  expect(rowsOf("offer").map(([name]) => name)).toEqual(Object.keys(clientOffers));
});
