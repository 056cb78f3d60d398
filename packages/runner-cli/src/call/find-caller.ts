import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { closest, contractVersion, RunnerError } from "@pipecat-ts/runner-core";
import type { CallerPlugin } from "@pipecat-ts/runner-core/caller";
import { exports as resolveExports } from "resolve.exports";
import { dependencyNames, findPackage, type PackageManifest } from "../plugins.ts";
import { findProject, readJson, shownPath } from "../project.ts";

/**
 * Finds the caller of a transport among the dependencies of a project: `"pipecatRunner": {"caller": "./caller"}` in their
 * package.json. Throws TRANSPORT_UNAVAILABLE when no dependency has it, PLUGIN_INVALID when it cannot be loaded.
 */
export async function findCaller(transport: string | undefined, folder: string): Promise<CallerPlugin> {
  const project = findProject(resolve(folder));
  const packages = dependencyNames(project).flatMap((name) => {
    const installed = findPackage(name, project.folder);
    if (installed === undefined) return [];
    const manifest = readJson(join(installed, "package.json")) as PackageManifest;
    const declared = manifest.pipecatRunner?.caller;
    return declared === undefined ? [] : [{ name, folder: installed, manifest, declared: String(declared) }];
  });
  // Most packages are named after their transport: then no other is loaded.
  const likelyFirst = packages.toSorted((a, b) => Number(isNamed(b.name)) - Number(isNamed(a.name)));
  const names: string[] = [];
  for (const entry of likelyFirst) {
    const caller = await loadCaller(entry.name, entry.folder, entry.manifest, entry.declared);
    if (caller.name === transport) return caller;
    names.push(caller.name);
  }
  throw notFound(transport, names, shownPath(join(project.folder, "package.json")));

  function isNamed(name: string): boolean {
    return name.split(/[^a-z0-9]+/).at(-1) === transport;
  }
}

async function loadCaller(
  name: string,
  folder: string,
  manifest: PackageManifest,
  declared: string,
): Promise<CallerPlugin> {
  const [entry = declared] = resolveExports(manifest, declared) ?? [];
  try {
    const { default: caller } = await import(pathToFileURL(join(folder, entry)).href);
    const { apiVersion, name: transport, open } = Object(caller) as Partial<CallerPlugin>;
    if (apiVersion === contractVersion && typeof transport === "string" && typeof open === "function") return caller;
  } catch (cause) {
    throw new RunnerError("PLUGIN_INVALID", `Cannot load the caller of ${name}: ${(cause as Error).message}.`, {
      fix: "Run: npm install",
      cause,
    });
  }
  throw new RunnerError("PLUGIN_INVALID", `${name} has no caller for version ${contractVersion} of the contract.`, {
    fix: `Update ${name}.`,
  });
}

function notFound(transport: string | undefined, names: readonly string[], manifest: string): RunnerError {
  const known = names.toSorted().join(", ");
  if (names.length === 0) {
    return new RunnerError("TRANSPORT_UNAVAILABLE", `No dependency in ${manifest} provides a caller.`, {
      fix: "Run this in the bot's folder, or pass --project <folder>.",
    });
  }
  if (transport === undefined) {
    return new RunnerError("OPTION_INVALID", "The transport is missing.", {
      fix: `Use pipecat-runner call <transport>, with one of ${known}.`,
    });
  }
  const similar = closest(transport, names);
  return new RunnerError("TRANSPORT_UNAVAILABLE", `No dependency in ${manifest} can call over "${transport}".`, {
    fix:
      similar === undefined ? `Use one of ${known}, or install the transport's package.` : `Did you mean ${similar}?`,
  });
}
