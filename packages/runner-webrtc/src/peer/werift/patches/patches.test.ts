import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../../../../../..");

test("docs/werift-patches.md lists every patch, and every patch has a test", () => {
  const files = globSync("*.ts", { cwd: import.meta.dirname });
  const tests = files.filter((file) => file.endsWith(".test.ts")).map((file) => file.replace(".test", ""));
  const patches = files.filter((file) => !file.endsWith(".test.ts"));
  const listed = readFileSync(join(root, "docs/werift-patches.md"), "utf8").match(/(?<=^\| `)[\w-]+\.ts/gm) ?? [];
  expect([...listed].sort()).toEqual([...patches].sort());
  expect(tests.filter((file) => file !== basename(import.meta.filename).replace(".test", "")).sort()).toEqual(
    [...patches].sort(),
  );
});

test("nothing outside the werift folder imports werift", () => {
  const sources = globSync(["packages/*/src/**/*.ts", "apps/*/*.ts", "e2e/**/*.ts", "bench/**/*.ts"], { cwd: root });
  const outside = sources.filter((file) => !file.includes("node_modules") && !file.includes("/peer/werift/"));
  expect(outside.length).toBeGreaterThan(100);
  expect(
    outside.filter((file) => /(from |import\()["']werift["']/.test(readFileSync(join(root, file), "utf8"))),
  ).toEqual([]);
});
