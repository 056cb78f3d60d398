import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

// The programs in type-tests declare transports, which would exist in the whole workspace if they were part of it. Each is
// therefore compiled in a separate project outside, where this package is installed: once linked to its source, as in the
// workspace, and once built, with the published package.json.

const root = join(import.meta.dirname, "../../..");
const core = join(root, "packages/runner-core");
const programs = ["with-transports", "without-transports"];
const timeoutMs = 60_000;

describe.each([
  { form: "from source", install: installSource },
  { form: "as published", install: installBuild },
])("the types $form", ({ install }) => {
  let project = "";
  let expected: readonly string[] = [];
  let output = "";

  beforeAll(() => {
    project = mkdtempSync(join(tmpdir(), "runner-core-types-"));
    cpSync(join(core, "type-tests"), project, { recursive: true });
    writeFileSync(join(project, "package.json"), JSON.stringify({ type: "module" }));
    install(join(project, "node_modules"));
    expected = programs.flatMap((program) => takeExpectations(project, program));
    output = programs.map((program) => compile(project, program)).join("");
  }, timeoutMs);

  afterAll(() => rmSync(project, { recursive: true, force: true }));

  it("accept correct code and reject wrong code for the stated reason", () => {
    const errors = output.matchAll(/^(\S+)\((\d+),\d+\): error (TS\d+)/gm);
    expect([...errors].map(([, file, line, code]) => `${file}:${line} ${code}`).sort()).toEqual(expected.toSorted());
    expect(expected.length).toBeGreaterThan(20);
  });

  it("name a misspelled param", () => {
    expect(output).toContain('"rythm is not a param of drum"');
    expect(output).toContain('"audioRate is not a param of smoke"');
  });
});

function installSource(modules: string): void {
  link(core, join(modules, "@pipecat-ts/runner-core"));
  link(join(root, "node_modules/@types/node"), join(modules, "@types/node"));
}

function installBuild(modules: string): void {
  for (const name of ["audio", "runner-core"]) {
    const from = join(root, "packages", name);
    const to = join(modules, "@pipecat-ts", name);
    const build = ["--filter", `packages/${name}`, "--out-dir", join(to, "dist")];
    execFileSync(join(root, "node_modules/.bin/tsdown"), build, { cwd: root, stdio: "pipe" });
    const { publishConfig, ...manifest } = JSON.parse(readFileSync(join(from, "package.json"), "utf8"));
    writeFileSync(join(to, "package.json"), JSON.stringify({ ...manifest, ...publishConfig }));
  }
  link(join(root, "node_modules/@types/node"), join(modules, "@types/node"));
  for (const name of ["@types/koa", "@types/ws", "typebox"])
    link(join(core, "node_modules", name), join(modules, name));
}

function link(target: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path);
}

/** Removes the expected errors from a program, so that the compiler reports them, and returns them. */
function takeExpectations(project: string, program: string): string[] {
  return globSync(`${program}/*.ts`, { cwd: project }).flatMap((file) => {
    const text = readFileSync(join(project, file), "utf8");
    writeFileSync(join(project, file), text.replaceAll("@ts-expect-error", "expected:"));
    return text.split("\n").flatMap((line, index) => {
      const code = line.match(/@ts-expect-error (TS\d+)/)?.[1];
      return code === undefined ? [] : [`${file}:${index + 2} ${code}`];
    });
  });
}

function compile(project: string, program: string): string {
  const config = {
    extends: join(root, "tsconfig.base.json"),
    compilerOptions: { isolatedDeclarations: false },
    include: ["."],
  };
  writeFileSync(join(project, program, "tsconfig.json"), JSON.stringify(config));
  const tsc = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", program, "--pretty", "false"], { cwd: project });
  if (tsc.error) throw tsc.error;
  return tsc.stdout.toString();
}
