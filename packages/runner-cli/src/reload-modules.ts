import { realpathSync } from "node:fs";
import { registerHooks } from "node:module";
import { sep } from "node:path";
import { fileURLToPath } from "node:url";
import { stampOf } from "./file-stamp.ts";

/** The name of the version in a module's URL. */
export const versionKey = "reload";

/** Which files a version of the bot consists of. */
export interface ReloadedModules {
  /** Where they all are. */
  readonly folder: string;
  /**
   * The files, by absolute path, that were asked for by modules of this version so far, also those that are not there; with
   * the stamp that they had then, before they were read.
   */
  filesOf(version: number): ReadonlyMap<string, string>;
  /** Forgets older versions' files. */
  forgetBefore(version: number): void;
  /** Modules loaded from now on are imported as usual. */
  stop(): void;
}

/**
 * Has everything that a module of version N imports from the same folder be of version N, too: `bot.ts?reload=2` gets a
 * `./prompt.ts?reload=2`, evaluated anew, while older versions keep theirs. Packages, and all that lies outside of `folder`,
 * stay as they are.
 *
 * CommonJS files are not told apart. Node never frees a version: some 40 KiB for a small bot.
 */
export function reloadModules(folder: string): ReloadedModules {
  const root = realpathSync(folder);
  const files = new Map<number, Map<string, string>>();

  /** Whether the file is one of the version's own; notes it then. */
  function note(version: number, url: string): boolean {
    const file = fileURLToPath(url);
    if (!file.startsWith(root + sep) || file.includes(`${sep}node_modules${sep}`)) return false;
    const asked = files.get(version) ?? new Map<string, string>();
    if (!asked.has(file)) asked.set(file, stampOf(file));
    files.set(version, asked);
    return true;
  }

  const hooks = registerHooks({
    resolve(specifier, context, nextResolve) {
      const asking = versionOf(context.parentURL);
      try {
        const resolved = nextResolve(specifier, context);
        const version = versionOf(resolved.url) ?? asking;
        if (version === undefined || !resolved.url.startsWith("file:") || !note(version, resolved.url)) return resolved;
        const url = new URL(resolved.url);
        url.searchParams.set(versionKey, String(version));
        return { ...resolved, url: url.href };
      } catch (error) {
        const wanted = /^\.{0,2}\//.test(specifier) ? URL.parse(specifier, context.parentURL) : null;
        if (asking !== undefined && wanted) note(asking, wanted.href);
        throw error;
      }
    },
  });
  return {
    folder: root,
    filesOf: (version) => files.get(version) ?? new Map(),
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
