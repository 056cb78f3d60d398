/**
 * Installs Pipecat's Python clients and eval harness once, into a cache folder of the user, and runs the tests that need them
 * (`pnpm test:python`).
 */
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "./cache-folder.ts";

/** Pipecat 1.14.0 with aiortc 1.16.0, and what `python -m pipecat.evals` imports. */
const packages: readonly string[] = [
  "pipecat-ai[webrtc,websocket]==1.14.0",
  "aiortc==1.16.0",
  ...["questionary", "rich", "typer", "jinja2", "websockets"],
];

/** A Python that has the packages: `PIPECAT_PYTHON`, else the one in the cache, which this function creates. */
function findPython(): string {
  const { PIPECAT_PYTHON: named } = process.env;
  if (named) return named;
  const folder = join(cacheFolder(process.env), "python-pipecat-1.14.0");
  const python = join(folder, process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
  // The last step of an installation: an incomplete one starts again.
  const stamp = join(folder, "complete");
  if (existsSync(stamp)) return python;
  console.log(`Installing ${packages.join(" ")} in ${folder}…`);
  const isInstalled =
    run(process.env.PYTHON || "python3", "-m", "venv", folder) &&
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...packages);
  if (isInstalled) {
    writeFileSync(stamp, "");
    return python;
  }
  console.error(
    "The tests need Python 3.11 or newer with venv and pip. Install it, or set PYTHON=/path/to/python, or set PIPECAT_PYTHON to a Python that has the packages above.",
  );
  process.exit(1);
}

function run(program: string, ...args: readonly string[]): boolean {
  const { status, error } = spawnSync(program, args, { stdio: "inherit" });
  return error === undefined && status === 0;
}

const env = { ...process.env, PIPECAT_PYTHON: findPython() };
const tests = ["run", "--project", "realtime", "e2e/python/", "e2e/evals/"];
const { status } = spawnSync("vitest", tests, { stdio: "inherit", env });
process.exit(status ?? 1);
