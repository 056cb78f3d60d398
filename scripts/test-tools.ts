/**
 * Finds the programs that tests need and npm cannot install: Chromium, coturn's TURN server and Redis. Run as a program, it
 * installs the missing ones with apt where it may, and otherwise prints the command to run and exits with 1.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { accessSync, constants, globSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { findLiveKitServer } from "./livekit-server.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const chromiumNames: readonly string[] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const macApplications: readonly string[] = [
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** The browser to test with: `PIPECAT_CHROMIUM`, else an installed one, else one from Playwright's cache. */
export function findChromium(env: Environment = process.env): string | undefined {
  if (env.PIPECAT_CHROMIUM) return [env.PIPECAT_CHROMIUM].find(isExecutable);
  return [...onPath(chromiumNames, env), ...macApplications, ...inPlaywrightCache(env)].find(isExecutable);
}

/** coturn's `turnserver`. */
export function findTurnServer(env: Environment = process.env): string | undefined {
  return onPath(["turnserver"], env).find(isExecutable);
}

/** The server of Redis, or of Valkey. */
export function findRedisServer(env: Environment = process.env): string | undefined {
  return onPath(["redis-server", "valkey-server"], env).find(isExecutable);
}

function onPath(names: readonly string[], { PATH = "" }: Environment): readonly string[] {
  const folders = [...PATH.split(delimiter).filter((folder) => folder !== ""), "/usr/bin", "/usr/sbin"];
  return names.flatMap((name) => folders.map((folder) => join(folder, name)));
}

function inPlaywrightCache(env: Environment): readonly string[] {
  const folder =
    env.PLAYWRIGHT_BROWSERS_PATH ||
    join(homedir(), process.platform === "darwin" ? "Library/Caches" : ".cache", "ms-playwright");
  const programs = ["chrome-linux*/chrome", "chrome-mac*/*.app/Contents/MacOS/*"];
  const found = globSync(
    programs.map((program) => `chromium-*/${program}`),
    { cwd: folder },
  );
  return found.map((file) => join(folder, file));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false; // The file does not exist or is not executable: the next candidate may be.
  }
}

/** Debian's names of the packages that are missing. */
function missingPackages(): readonly string[] {
  return [
    ...(findChromium() ? [] : ["chromium"]),
    ...(findTurnServer() ? [] : ["coturn"]),
    ...(findRedisServer() ? [] : ["redis-server"]),
  ];
}

/** The words to put before apt-get; `undefined` where this user may not install packages without a password. */
function aptPrefix(): readonly string[] | undefined {
  if (!onPath(["apt-get"], process.env).some(isExecutable)) return undefined;
  if (process.getuid?.() === 0) return [];
  return spawnSync("sudo", ["-n", "true"], { stdio: "ignore" }).status === 0 ? ["sudo", "-n"] : undefined;
}

function install(packages: readonly string[], prefix: readonly string[]): void {
  const apt = (...args: readonly string[]) => {
    const [program = "", ...rest] = [...prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", ...args];
    execFileSync(program, rest, { stdio: ["ignore", "ignore", "inherit"] });
  };
  console.log(`Installing ${packages.join(" and ")} with apt…`);
  apt("update");
  apt("install", "-y", "--no-install-recommends", ...packages);
}

function stop(message: string): never {
  console.error(message);
  process.exit(1);
}

function main(): void {
  const { PIPECAT_CHROMIUM } = process.env;
  if (PIPECAT_CHROMIUM && !isExecutable(PIPECAT_CHROMIUM)) {
    stop(`PIPECAT_CHROMIUM: "${PIPECAT_CHROMIUM}" is not an executable file. Correct or unset it.`);
  }
  if (findLiveKitServer() === undefined) {
    console.log(
      "Tests against a LiveKit server are skipped: livekit-server is not installed. pnpm test:livekit builds it.",
    );
  }
  if (!process.env.PIPECAT_FIREFOX) {
    console.log("Tests with Firefox are skipped. To run them, set PIPECAT_FIREFOX=/path/to/firefox.");
  }
  const missing = missingPackages();
  if (missing.length === 0) return;
  const prefix = aptPrefix();
  if (prefix) install(missing, prefix);
  const remaining = missingPackages();
  if (remaining.length === 0) return;
  const command =
    process.platform === "darwin"
      ? `brew install ${remaining.join(" ").replace("redis-server", "redis")}`
      : `sudo apt-get update && sudo apt-get install -y --no-install-recommends ${remaining.join(" ")}`;
  stop(`The tests need ${remaining.join(" and ")}. Run: ${command}`);
}

if (import.meta.main) main();
