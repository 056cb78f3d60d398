import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test } from "vitest";

// Builds the package of docs/writing-a-transport.md from the files on that page, type-checks it, and runs its tests.

const root = join(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/writing-a-transport.md"), "utf8");
const folder = realpathSync(mkdtempSync(join(tmpdir(), "runner-pigeon-")));
afterAll(() => rmSync(folder, { recursive: true }));

/** Files of the page by path: code blocks whose first line is a comment with the path. */
const files = new Map(
  [...page.matchAll(/```(?:ts|json)\n\/\/ (\S+)\n([\s\S]*?)```/g)].map(([, path = "", text = ""]) => [path, text]),
);
for (const [path, text] of files) {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}
const packages = ["@types/node", "@types/ws", "typebox", "vitest", "ws"];
for (const name of ["audio", "runner-core", "runner-testing"])
  link(join(root, "packages", name), `@pipecat-ts/${name}`);
for (const name of packages) link(findPackage(name), name);

test("the plugin has at most 60 lines", () => {
  const lines = files.get("src/plugin.ts")?.trim().split("\n").length;
  expect(lines).toBeGreaterThan(30);
  expect(lines).toBeLessThanOrEqual(60);
});

test("every code block names its file", () => {
  expect(files.size).toBe(page.split("```").length >> 1);
});

test("the files compile under strict settings", { timeout: 120_000 }, () => {
  const config = { extends: join(root, "tsconfig.base.json"), compilerOptions: { isolatedDeclarations: false } };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ ...config, include: ["src"] }));
  const tsc = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", folder, "--pretty", "false"], { encoding: "utf8" });
  expect(tsc.stdout).toBe("");
  expect(tsc.status).toBe(0);
});

// Declares the conformance suite's tests.
await import(pathToFileURL(join(folder, "src/conformance.test.ts")).href);

function link(target: string, name: string): void {
  const path = join(folder, "node_modules", name);
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path);
}

/** Where a dependency of the repository is installed. */
function findPackage(name: string): string {
  const places = ["node_modules", "packages/runner-core/node_modules", "packages/runner-testing/node_modules"];
  for (const place of places) {
    try {
      return realpathSync(join(root, place, name));
    } catch {
      // look in the next place
    }
  }
  throw new Error(`${name} is not installed.`);
}
