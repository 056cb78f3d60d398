import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { collectTemplates } from "../build-templates.ts";
import { createBot } from "./create-bot.ts";

// Creates a project of each template, with the packages of this repository, and runs its own checks.

const root = join(import.meta.dirname, "../../..");
const catalog = await collectTemplates();
const cwd = realpathSync(mkdtempSync(join(tmpdir(), "created-projects-")));
afterAll(() => rmSync(cwd, { recursive: true }));

describe.each(
  catalog.templates.flatMap(({ name }) => [
    { name, language: "ts" },
    { name, language: "js" },
  ]),
)("$name in $language", ({ name, language }) => {
  test("passes its own checks", { timeout: 180_000 }, async () => {
    const argv = [`${name}-${language}`, "--template", name, `--${language}`, "--no-install"];
    const { folder } = await createBot(argv, { catalog, cwd });
    link(folder);
    if (language === "ts") {
      const { types } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).scripts;
      expect(types).toMatch(/\btsc$/);
      // The links lead to source files, which are written for this setting.
      run(folder, "tsc", "--pretty", "false", "--exactOptionalPropertyTypes");
    }
    if (existsSync(join(folder, "pipecat-env.d.ts"))) {
      const command = [join(root, "packages/runner-cli/src/main.ts"), "types"];
      const types = spawnSync(process.execPath, command, { cwd: folder, encoding: "utf8" });
      expect(types.stdout).toMatch(/^pipecat-env\.d\.ts already imports the types of @pipecat-ts\/runner-webrtc\n$/);
    }
    if (existsSync(join(folder, "tsconfig.build.json"))) run(folder, "tsc", "-p", "tsconfig.build.json");
    // The same tests run completely in `apps`: here, a few show that the project is complete.
    const some = name === "transport" ? "AUDIO" : language === "ts" ? "greets|plays" : "without|plays";
    run(folder, "vitest", "run", "--no-color", "--no-file-parallelism", "-t", some);
  });
});

/** Runs a program of the repository's. Fails with its output. */
function run(cwd: string, program: string, ...args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(join(root, "node_modules/.bin", program), args, {
    cwd,
    encoding: "utf8",
  });
  expect(status, `${program}: ${stdout}${stderr}`).toBe(0);
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
