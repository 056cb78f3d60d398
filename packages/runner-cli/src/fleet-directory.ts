import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { RunnerError } from "@pipecat-ts/runner-core";
import type { Directory } from "@pipecat-ts/runner-fleet";
import { exports as resolveExports } from "resolve.exports";
import { findPackage, type PackageManifest } from "./plugins.ts";
import { type Project, readJson } from "./project.ts";

const redis = "@pipecat-ts/runner-fleet-redis";

/** Opens the directory of a fleet with the package that the project has installed for it. Throws OPTION_INVALID. */
export async function openDirectory(url: string, project: Project): Promise<Directory> {
  if (!/^(redis|valkey)s?:\/\//i.test(url)) {
    // The text may contain a password, so it is not repeated.
    throw new RunnerError("OPTION_INVALID", "--fleet or PIPECAT_FLEET is not the URL of a directory.", {
      fix: "Use redis://host:6379, or rediss://host:6379 for TLS.",
    });
  }
  const folder = findPackage(redis, project.folder);
  if (folder === undefined) {
    throw new RunnerError("OPTION_INVALID", `--fleet requires ${redis}, which is not installed.`, {
      fix: `Run: npm install ${redis}`,
    });
  }
  const manifest = readJson(join(folder, "package.json")) as PackageManifest;
  const [entry = ""] = resolveExports(manifest, ".") ?? [];
  const { createRedisDirectory } = (await import(pathToFileURL(join(folder, entry)).href)) as {
    readonly createRedisDirectory: (url: string) => Directory;
  };
  return createRedisDirectory(url);
}

/** Throws OPTION_INVALID without the secret. */
export function requireFleetSecret(secret: string | undefined): string {
  if (secret !== undefined) return secret;
  throw new RunnerError(
    "OPTION_INVALID",
    "--fleet requires PIPECAT_FLEET_SECRET, with which nodes recognize each other.",
    {
      fix: "Set it to the same random text on all of them: openssl rand -hex 32",
    },
  );
}
