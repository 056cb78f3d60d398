import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, sep } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeTypeFile } from "../../runner-cli/src/type-file.ts";
import { collectTemplates } from "../build-templates.ts";
import { createBot } from "./create-bot.ts";

// Creates a project of each template, with the packages of this repository, and runs its own checks. All projects share one run
// of each program, because most of its time is the code of this repository. `pnpm check:templates` does the rest, with npm.

const root = join(import.meta.dirname, "../../..");
const catalog = await collectTemplates();
const cwd = realpathSync(mkdtempSync(join(tmpdir(), "created-projects-")));
const projects = catalog.templates.flatMap(({ name }) => [`${name}-ts`, `${name}-js`]);

beforeAll(async () => {
  for (const project of projects) {
    const [template = "", language] = project.split("-");
    await createBot([project, "--template", template, `--${language}`, "--no-install"], { catalog, cwd });
    link(join(cwd, project));
  }
});
afterAll(() => rmSync(cwd, { recursive: true }));

test("all projects in TypeScript have correct types", { timeout: 60_000 }, () => {
  const own = projects.filter((project) => project.endsWith("-ts"));
  const { compilerOptions } = JSON.parse(readFileSync(join(cwd, `${own[0]}/tsconfig.json`), "utf8"));
  // The links lead to source files, which are written for the last setting.
  const config = {
    compilerOptions: {
      ...compilerOptions,
      typeRoots: [join(root, "node_modules/@types")],
      exactOptionalPropertyTypes: true,
    },
    include: own,
    exclude: ["**/node_modules"],
  };
  writeFileSync(join(cwd, "tsconfig.json"), JSON.stringify(config));
  const { status, stdout } = run("tsc", "--pretty", "false");
  expect(status, stdout).toBe(0);
});

test("pipecat-env.d.ts is as `pipecat-runner types` writes it", () => {
  const changed = projects
    .filter((project) => existsSync(join(cwd, project, "pipecat-env.d.ts")))
    .map((project) => writeTypeFile(join(cwd, project)).changed);
  expect(changed).toEqual([false, false, false, false]);
});

test("the tests of all projects pass", { timeout: 180_000 }, () => {
  // The same tests run completely in `apps`: here, a few show that each project is complete.
  const some = "greets|plays|application shows|AUDIO-(IN|OUT)-1";
  const report = join(cwd, "report.json");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile=${report}`];
  const { stdout, stderr } = run("vitest", "run", "--no-isolate", "--maxWorkers=2", "-t", some, ...reporters);
  const { testResults }: Report = JSON.parse(readFileSync(report, "utf8"));
  expect(testResults.filter(({ status }) => status !== "passed").length, stdout + stderr).toBe(0);
  const tested = testResults.filter(({ assertionResults }) =>
    assertionResults.some(({ status }) => status === "passed"),
  );
  expect(new Set(tested.map(({ name }) => relative(cwd, name).split(sep)[0]))).toEqual(new Set(projects));
});

/** The parts of Vitest's report as JSON that this test uses. */
interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

/** Runs a program of the repository in the folder of the projects. */
function run(program: string, ...args: readonly string[]) {
  return spawnSync(join(root, "node_modules/.bin", program), args, { cwd, encoding: "utf8", maxBuffer: 16 * 2 ** 20 });
}

/** Installs the dependencies of a project as links into the repository. */
function link(folder: string): void {
  const { dependencies, devDependencies, peerDependencies } = JSON.parse(
    readFileSync(join(folder, "package.json"), "utf8"),
  );
  for (const name of Object.keys({ ...dependencies, ...devDependencies, ...peerDependencies })) {
    const target = join(folder, "node_modules", name);
    mkdirSync(dirname(target), { recursive: true });
    symlinkSync(installed(name), target);
  }
}

/** Where a package is installed in the repository. */
function installed(name: string): string {
  const owners = [".", "packages/runner-testing", ...catalog.templates.map((template) => `apps/${template.name}-bot`)];
  const found = owners.map((owner) => join(root, owner, "node_modules", name)).find((path) => existsSync(path));
  if (found === undefined) throw new Error(`${name} is not installed.`);
  return realpathSync(found);
}
