/**
 * Runs the tests of the runner under Bun and Deno (`pnpm test:runtimes`): installs both once into a cache folder of the user, and the
 * packages as they are published into a temporary project. Run after `pnpm build`.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cacheFolder } from "./cache-folder.ts";
import { installProject } from "./installed-project.ts";
import { run } from "./tarballs.ts";

/** npm packages that contain the programs. */
const versions = { bun: "1.4.5", deno: "2.9.6" };
const programs = { PIPECAT_BUN: "bun/bin/bun.exe", PIPECAT_DENO: "deno/deno" };
const dependencies: readonly string[] = [
  "pipecat-runner",
  "@pipecat-ts/runner-webrtc",
  "@pipecat-ts/runner-websocket",
  ...["twilio", "telnyx", "plivo", "exotel"].map((carrier) => `@pipecat-ts/runner-telephony-${carrier}`),
];

/** The paths of the programs, by environment variable. Installs them if they are missing. */
async function installRuntimes(): Promise<Readonly<Record<string, string>>> {
  const packages = Object.entries(versions).map(([name, version]) => `${name}@${version}`);
  const folder = join(cacheFolder(process.env), packages.join("-"));
  const paths = Object.entries(programs).map(([name, path]) => [name, join(folder, "node_modules", path)] as const);
  if (!paths.every(([, path]) => existsSync(path))) {
    console.log(`Installing ${packages.join(" and ")} in ${folder}…`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), "{}");
    await run("npm", ["install", "--no-audit", "--no-fund", ...packages], folder);
  }
  for (const [, path] of paths) await run(path, ["--version"], folder);
  return Object.fromEntries(paths);
}

const temporary = mkdtempSync(join(tmpdir(), "pipecat-runtimes-"));
try {
  const env = {
    ...process.env,
    ...(await installRuntimes()),
    PIPECAT_RUNTIME_PROJECT: await installProject(temporary, dependencies),
  };
  const { status } = spawnSync("vitest", ["run", "--project", "realtime", "e2e/runtimes/"], { stdio: "inherit", env });
  process.exitCode = status ?? 1;
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
