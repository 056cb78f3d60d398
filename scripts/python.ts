/** Finds a Python with Pipecat 1.14, or installs it once into a cache folder of the user. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "./cache-folder.ts";

/** Pipecat's runner and clients with aiortc, and what `python -m pipecat.evals` imports. */
const packages: readonly string[] = [
  "pipecat-ai[runner,daily,livekit,webrtc,websocket]==1.14.0",
  "aiortc==1.16.0",
  ...["questionary", "rich", "typer", "jinja2", "websockets"],
];

/**
 * A Python that has the packages above: `PIPECAT_PYTHON`, else the one in the cache, which this function creates. Throws when it
 * cannot.
 */
export function installPipecat(): string {
  const { PIPECAT_PYTHON: named } = process.env;
  if (named) return named;
  const folder = join(cacheFolder(process.env), "python-pipecat-1.14.0");
  const python = join(folder, process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
  // Written last, so that an interrupted installation, or one of other packages, is continued.
  const installed = join(folder, "packages.txt");
  const list = packages.join("\n");
  if (existsSync(installed) && readFileSync(installed, "utf8") === list) return python;
  console.error(`Installing ${packages.join(" ")} in ${folder}…`);
  run(process.env.PYTHON || "python3", "-m", "venv", folder);
  run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...packages);
  writeFileSync(installed, list);
  return python;
}

function run(program: string, ...args: readonly string[]): void {
  const { status, error } = spawnSync(program, args, { stdio: ["ignore", "inherit", "inherit"] });
  if (error === undefined && status === 0) return;
  throw new Error(
    `"${program} ${args.join(" ")}" failed. Install Python 3.11 or newer with venv and pip, or set PYTHON=/path/to/python, or set PIPECAT_PYTHON to a Python that has the packages.`,
    { cause: error },
  );
}
