import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { TransportPlugin } from "@pipecat-ts/runner-core";
import { readConfig } from "./config.ts";
import { type Project, readJson } from "./project.ts";

/** The transports of a project, and those that could not be loaded. */
export interface FoundPlugins {
  readonly plugins: readonly TransportPlugin[];
  readonly failures: readonly PluginFailure[];
  /** Dependencies that are named but not installed. */
  readonly absent: readonly string[];
  /** What the project's config declares as its bots' options, unchecked. */
  readonly botOptions?: unknown;
}

/** A package that declares a transport which could not be loaded. */
export interface PluginFailure {
  /** The package. */
  readonly name: string;
  readonly reason: string;
  readonly fix: string;
  readonly cause?: unknown;
}

/** The parts of a dependency's package.json that declare a transport. */
interface PackageManifest {
  readonly exports?: unknown;
  readonly pipecatRunner?: { readonly plugin?: unknown };
}

/**
 * Loads the transports of a project: those that its `pipecat-runner.config.ts` lists, else every dependency whose
 * package.json has `"pipecatRunner": {"plugin": "./plugin"}`. Throws only for a broken config or package.json of the
 * project itself; a transport that fails to load is told of, and the rest go on.
 */
export async function findPlugins(project: Project): Promise<FoundPlugins> {
  const config = await readConfig(project.folder);
  const botOptions = config?.options;
  if (config?.plugins) return { plugins: config.plugins, failures: [], absent: [], botOptions };
  const { dependencies, devDependencies, optionalDependencies } = project.manifest;
  const names = Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies });
  const folders = names.map((name) => [name, findPackage(name, project.folder)] as const);
  const loaded = await Promise.all(
    folders.map(([name, folder]) => (folder === undefined ? undefined : loadPlugin(name, folder))),
  );
  const present = loaded.filter((plugin) => plugin !== undefined);
  return {
    plugins: present.filter((result) => "open" in result),
    failures: present.filter((result) => "reason" in result),
    absent: folders.filter(([, folder]) => folder === undefined).map(([name]) => name),
    botOptions,
  };
}

/** The folder of an installed package, as code in `from` would find it. Packages need not export their package.json. */
function findPackage(name: string, from: string): string | undefined {
  const places = createRequire(join(from, "package.json")).resolve.paths(name) ?? [];
  return places.map((place) => join(place, name)).find((folder) => existsSync(join(folder, "package.json")));
}

/** The package's plugin; `undefined` when it declares none. */
async function loadPlugin(name: string, folder: string): Promise<TransportPlugin | PluginFailure | undefined> {
  try {
    const manifest = readJson(join(folder, "package.json")) as PackageManifest;
    const declared = manifest.pipecatRunner?.plugin;
    if (declared === undefined) return undefined;
    const file = join(folder, entryOf(manifest.exports, String(declared)));
    const { default: plugin } = await import(pathToFileURL(file).href);
    if (typeof plugin?.open === "function") return plugin;
    const reason = `${declared} has no transport plugin as its default export.`;
    return { name, reason, fix: "Report it to its author, or remove the package." };
  } catch (cause) {
    return { name, ...reasonOf(cause), cause };
  }
}

/** The file that a subpath means: what the package exports there for `import`, else the path itself. */
function entryOf(exports: unknown, subpath: string): string {
  let target = Object(exports)[subpath];
  while (typeof target === "object" && target !== null) {
    const conditions: Readonly<Record<string, unknown>> = target;
    const key = Object.keys(conditions).find((name) => ["node", "import", "module-sync", "default"].includes(name));
    target = key === undefined ? undefined : conditions[key];
  }
  return typeof target === "string" ? target : subpath;
}

function reasonOf(error: unknown): Pick<PluginFailure, "reason" | "fix"> {
  const { code, message } = error instanceof Error ? (error as NodeJS.ErrnoException) : { message: String(error) };
  const [line = ""] = message.split("\n");
  const reason = `It cannot be loaded: ${line.replace(/ imported from .+/, "")}.`;
  const missing = code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND" || code === "ERR_DLOPEN_FAILED";
  return { reason, fix: missing ? "Install again: npm install" : "Update it, or remove it: -v shows the stack." };
}
