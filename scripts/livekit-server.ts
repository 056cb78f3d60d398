/**
 * Finds LiveKit's server, which npm cannot install. Run as a program (`pnpm test:livekit`), it builds the server once with Go, into a
 * cache folder of the user, and runs the tests that need it.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { cacheFolder } from "./cache-folder.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** The newest version without replace directives in its module, which `go install` rejects. */
const version = "v1.9.12";
const module = `github.com/livekit/livekit-server/cmd/server@${version}`;

/** `livekit-server`: `LIVEKIT_SERVER`, else an installed one, else the one that this script has built. */
export function findLiveKitServer(env: Environment = process.env): string | undefined {
  if (env.LIVEKIT_SERVER) return [env.LIVEKIT_SERVER].find(isExecutable);
  const folders = (env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return [...folders.map((folder) => join(folder, "livekit-server")), builtServer(env)].find(isExecutable);
}

function builtServer(env: Environment): string {
  return join(cacheFolder(env), `livekit-server-${version}`, "server");
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false; // The file does not exist or is not executable: the next candidate may be.
  }
}

function build(): void {
  const folder = dirname(builtServer(process.env));
  console.log(`Building livekit-server ${version} with Go in ${folder}…`);
  const { status, error } = spawnSync("go", ["install", module], {
    stdio: "inherit",
    env: { ...process.env, GOBIN: folder },
  });
  if (error === undefined && status === 0) return;
  console.error(
    "The tests need livekit-server. Install it, or Go 1.24 or newer, which builds it, or set LIVEKIT_SERVER=/path/to/livekit-server.",
  );
  process.exit(1);
}

function main(): void {
  const { LIVEKIT_SERVER: named } = process.env;
  if (named && !isExecutable(named)) {
    console.error(`LIVEKIT_SERVER: "${named}" is not an executable file. Correct or unset it.`);
    process.exit(1);
  }
  if (findLiveKitServer() === undefined) build();
  const { status } = spawnSync("vitest", ["run", "--project", "webrtc", "livekit"], { stdio: "inherit" });
  process.exit(status ?? 1);
}

if (import.meta.main) main();
