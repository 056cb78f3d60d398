import { existsSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { checkPlugin, isRunnerError, RunnerError, type TransportPlugin } from "@pipecat-ts/runner-core";
import { exports as resolveExports } from "resolve.exports";
import type { BotOptions } from "./flags.ts";
import { importModule } from "./import-module.ts";
import { type Project, readJson, shownPath } from "./project.ts";

/** The fix where no transport is installed. */
export const installTransport =
  "Install one: npm i @pipecat-ts/runner-<name>. To list them: npm search keywords:pipecat-runner-transport";

/** The default export of `pipecat-runner.config.ts`, for projects that choose their transports or declare flags. */
export interface RunnerConfig {
  /** The transports, instead of those found among the project's dependencies. */
  readonly plugins?: readonly TransportPlugin[] | undefined;
  /** Flags and environment variables of the project's bots, like the `options` that a bot's file exports. */
  readonly options?: BotOptions | undefined;
}

/** The transports of a project, and those that could not be loaded. */
export interface FoundPlugins {
  readonly plugins: readonly TransportPlugin[];
  readonly failures: readonly PluginFailure[];
  /** Packages of `plugins` that use another copy of runner-core than the runner. */
  readonly duplicates: readonly DuplicateCore[];
  /** Dependencies that are named in package.json but not installed. */
  readonly missing: readonly string[];
  /** The options of the project's config, unchecked. */
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

/** A second copy of runner-core: TypeScript then sees two sets of types, and the copies may behave differently. */
export interface DuplicateCore {
  /** The transport's package. */
  readonly name: string;
  readonly reason: string;
  readonly fix: string;
}

/** The parts of a dependency's package.json that declare a transport. */
export interface PackageManifest {
  readonly name: string;
  readonly version: string;
  readonly exports?: Record<string, unknown>;
  readonly pipecatRunner?: { readonly plugin?: unknown; readonly caller?: unknown };
}

const core = "@pipecat-ts/runner-core";
const configNames: readonly string[] = ["ts", "mts", "js", "mjs"].map((ending) => `pipecat-runner.config.${ending}`);

/**
 * Loads the transports of a project: those that its `pipecat-runner.config.ts` lists, else every dependency whose
 * package.json has `"pipecatRunner": {"plugin": "./plugin"}`. A transport that fails to load is returned among `failures`.
 * Throws BOT_INVALID for a broken config or package.json of the project itself, PLUGIN_INVALID for a config that lists an
 * invalid plugin.
 */
export async function findPlugins(project: Project): Promise<FoundPlugins> {
  const config = await readConfig(project.folder);
  const botOptions = config?.options;
  if (config?.plugins) return { plugins: config.plugins, failures: [], duplicates: [], missing: [], botOptions };
  const names = dependencyNames(project);
  const installed = names.flatMap((name) => {
    const folder = findPackage(name, project.folder);
    return folder === undefined ? [] : [{ name, folder }];
  });
  const results = await Promise.all(
    installed.map(async ({ name, folder }) => ({ name, folder, result: await loadPlugin(name, folder) })),
  );
  const found = results.flatMap(({ name, folder, result }) =>
    result && "open" in result ? [{ plugin: result, duplicate: duplicateCore(name, folder, project.folder) }] : [],
  );
  return {
    plugins: found.map(({ plugin }) => plugin),
    failures: results.flatMap(({ result }) => (result && "reason" in result ? [result] : [])),
    duplicates: found.flatMap(({ duplicate }) => duplicate ?? []),
    missing: names.filter((name) => !installed.some((entry) => entry.name === name)),
    botOptions,
  };
}

/** The installed dependencies of a project that declare a transport, in alphabetical order. Loads none of them. */
export function transportPackages(project: Project): readonly string[] {
  return dependencyNames(project)
    .filter((name) => {
      const folder = findPackage(name, project.folder);
      return folder !== undefined && pluginOf(readJson(join(folder, "package.json"))) !== undefined;
    })
    .sort();
}

/** The names of a project's dependencies, of all kinds. */
export function dependencyNames({ manifest }: Project): readonly string[] {
  const { dependencies, devDependencies, optionalDependencies } = manifest;
  return Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies });
}

/** The present name of a transport that a command line may name by a former one. */
export function presentName(name: string, plugins: readonly TransportPlugin[]): string {
  if (plugins.some((plugin) => plugin.name === name)) return name;
  return plugins.find(({ advanced }) => advanced?.formerNames?.includes(name))?.name ?? name;
}

function pluginOf(manifest: object): unknown {
  return (manifest as PackageManifest).pipecatRunner?.plugin;
}

/** The config of a project folder; `undefined` without one. */
async function readConfig(folder: string): Promise<RunnerConfig | undefined> {
  const file = configNames.map((name) => join(folder, name)).find((path) => existsSync(path));
  if (file === undefined) return undefined;
  const { default: config } = await importModule(file);
  const { plugins, options, ...others } = Object(config);
  const [unknownKey] = Object.keys(others);
  const isValid = plugins === undefined ? options !== undefined : Array.isArray(plugins);
  if (!isValid || unknownKey !== undefined) {
    const fault =
      unknownKey === undefined ? 'has no list "plugins" in its default export' : `has an unknown key "${unknownKey}"`;
    throw new RunnerError("BOT_INVALID", `${shownPath(file)} ${fault}.`, {
      fix: "Write: export default { plugins: [ … ], options: { … } }. Either key may be left out.",
    });
  }
  for (const plugin of plugins ?? []) checkPlugin(plugin, `A plugin in ${shownPath(file)}`);
  return { plugins, options };
}

/** The folder of an installed package, as code in `from` would find it. Packages need not export their package.json. */
export function findPackage(name: string, from: string): string | undefined {
  const places = createRequire(join(from, "package.json")).resolve.paths(name) ?? [];
  return places.map((place) => join(place, name)).find((folder) => existsSync(join(folder, "package.json")));
}

/** The package's plugin; `undefined` when it does not declare one. */
async function loadPlugin(name: string, folder: string): Promise<TransportPlugin | PluginFailure | undefined> {
  try {
    const manifest = readJson(join(folder, "package.json")) as PackageManifest;
    const declared = pluginOf(manifest);
    if (declared === undefined) return undefined;
    const [entry = String(declared)] = resolveExports(manifest, String(declared)) ?? [];
    const { default: plugin } = await import(pathToFileURL(join(folder, entry)).href);
    checkPlugin(plugin, name);
    return plugin;
  } catch (cause) {
    return { name, ...explainFailure(cause), cause };
  }
}

function explainFailure(error: unknown): Pick<PluginFailure, "reason" | "fix"> {
  if (isRunnerError(error)) return { reason: error.message, fix: error.fix ?? "" };
  const { code, message } = error instanceof Error ? (error as NodeJS.ErrnoException) : { message: String(error) };
  const [line = ""] = message.split("\n");
  const reason = `Cannot load it: ${line.replace(/ imported from .+/, "")}.`;
  const incomplete = code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND" || code === "ERR_DLOPEN_FAILED";
  return { reason, fix: incomplete ? "Run: npm install" : "Update it, or remove it; -v shows the stack." };
}

/** Compares the copy of runner-core that a transport's package uses with the runner's own. */
function duplicateCore(name: string, folder: string, project: string): DuplicateCore | undefined {
  const ours = findPackage(core, dirname(fileURLToPath(import.meta.url)));
  const theirs = findPackage(core, realpathSync(folder));
  if (ours === undefined || theirs === undefined || realpathSync(ours) === realpathSync(theirs)) return undefined;
  const [ourVersion, theirVersion] = [ours, theirs].map(
    (copy) => (readJson(join(copy, "package.json")) as PackageManifest).version,
  );
  const manager = existsSync(join(project, "pnpm-lock.yaml")) ? "pnpm" : "npm";
  const update = `${manager} ${manager === "npm" ? "install" : "add"} pipecat-runner@latest ${name}@latest`;
  return {
    name,
    reason: `${name} uses another copy of ${core}: ${theirVersion} in ${shownPath(theirs)}; the runner uses ${ourVersion}.`,
    fix: `Run: ${ourVersion === theirVersion ? `${manager} dedupe` : update}`,
  };
}
