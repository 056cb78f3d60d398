import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

// The programs of the folder type-tests declare transports, which would exist in every program of the workspace if they
// were part of it. So each is compiled in a project of its own, outside, where this package is installed: once as a link
// to its source, which is how the workspace sees it, and once built, with the package.json that is published.

const root = join(import.meta.dirname, "../../..");
const core = join(root, "packages/runner-core");
const programs = ["with-arms", "no-arm"];
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

  it("accept what is right and refuse what is wrong, each for the reason given", () => {
    const errors = output.matchAll(/^(\S+)\((\d+),\d+\): error (TS\d+)/gm);
    expect([...errors].map(([, file, line, code]) => `${file}:${line} ${code}`).sort()).toEqual(expected.toSorted());
    expect(expected.length).toBeGreaterThan(20);
  });

  it("say which param a transport does not have", () => {
    expect(output).toContain('"rythm is no param of drum"');
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
    const build = ["-c", "../../tsdown.config.ts", "--out-dir", join(to, "dist")];
    execFileSync(join(root, "node_modules/.bin/tsdown"), build, { cwd: from, stdio: "pipe" });
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

/** The errors that a program says it has. It says so no more afterwards, so that the compiler reports them all. */
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
