import { realpathSync, statSync } from "node:fs";
import module from "node:module";
import { sep } from "node:path";
import { fileURLToPath } from "node:url";
import { RunnerError } from "@pipecat-ts/runner-core";

/** The query parameter with the version in a module's URL. */
export const versionKey = "reload";

/** The files that each version of the bot consists of. */
export interface ReloadedModules {
  /** The folder that contains them. */
  readonly folder: string;
  /**
   * The files, by absolute path, that modules of this version have imported so far, including files that do not exist; with
   * the stamp that each had before it was read.
   */
  filesOf(version: number): ReadonlyMap<string, string>;
  /** `listener` is called when a version has imported a further file, also later than when it was loaded. */
  onImport(listener: () => void): void;
  /** Forgets older versions' files. */
  forgetBefore(version: number): void;
  /** Stops adding versions to imports. */
  stop(): void;
}

/**
 * Gives the imports of a module the module's own version: `bot.ts?reload=2` imports `./prompt.ts?reload=2`, which Node
 * evaluates again, while older versions keep theirs. Packages and files outside of `folder` are not reloaded.
 *
 * CommonJS files are not reloaded. Node never frees a version: about 40 KiB for a small bot. Throws OPTION_INVALID where the runtime
 * lacks `registerHooks`, as Bun does.
 */
export function reloadModules(folder: string): ReloadedModules {
  if (typeof module.registerHooks !== "function") {
    throw new RunnerError("OPTION_INVALID", "--watch requires module.registerHooks, which this runtime lacks.", {
      fix: "Omit --watch, or use Node or Deno.",
    });
  }
  const root = realpathSync(folder);
  const files = new Map<number, Map<string, string>>();
  let notify: () => void = () => undefined;

  /** Records the file for this version. False when it is outside of the folder or in a package. */
  function record(version: number, url: string): boolean {
    const file = fileURLToPath(url);
    if (!file.startsWith(root + sep) || file.includes(`${sep}node_modules${sep}`)) return false;
    const imported = files.get(version) ?? new Map<string, string>();
    files.set(version, imported);
    if (imported.has(file)) return true;
    imported.set(file, stampOf(file));
    notify();
    return true;
  }

  const hooks = module.registerHooks({
    resolve(specifier, context, nextResolve) {
      const importer = versionOf(context.parentURL);
      try {
        const resolved = nextResolve(specifier, context);
        const version = versionOf(resolved.url) ?? importer;
        if (version === undefined || !resolved.url.startsWith("file:") || !record(version, resolved.url))
          return resolved;
        const url = new URL(resolved.url);
        url.searchParams.set(versionKey, String(version));
        return { ...resolved, url: url.href };
      } catch (error) {
        const wanted = /^\.{0,2}\//.test(specifier) ? URL.parse(specifier, context.parentURL) : null;
        if (importer !== undefined && wanted) record(importer, wanted.href);
        throw error;
      }
    },
  });
  return {
    folder: root,
    filesOf: (version) => files.get(version) ?? new Map(),
    onImport(listener) {
      notify = listener;
    },
    forgetBefore(version) {
      for (const older of files.keys()) if (older < version) files.delete(older);
    },
    stop: () => hooks.deregister(),
  };
}

function versionOf(url: string | undefined): number | undefined {
  const value = url === undefined ? null : URL.parse(url)?.searchParams.get(versionKey);
  return value ? Number(value) : undefined;
}

/** Changes whenever the file does; empty when the file does not exist. */
export function stampOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  return found ? `${found.mtimeMs} ${found.size} ${found.ino}` : "";
}
