import { homedir } from "node:os";
import { join } from "node:path";

/** The folder in the user's cache for programs that tests need and npm cannot install. */
export function cacheFolder(env: Readonly<Record<string, string | undefined>>): string {
  const caches = env.XDG_CACHE_HOME || join(homedir(), process.platform === "darwin" ? "Library/Caches" : ".cache");
  return join(caches, "pipecat-runner");
}
