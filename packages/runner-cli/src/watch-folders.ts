import { type FSWatcher, statSync, watch } from "node:fs";
import { dirname, join, sep } from "node:path";
import type { Logger } from "@pipecat-ts/runner-core";
import { shownPath } from "./project.ts";

/** Watches the folders of files: those above them, too, up to `root`, for a folder may be replaced with all that is in it. */
export interface WatchedFolders {
  /** Watches for these files from now on, whether they are there or not; looks again which folders are others than before. */
  follow(files: Iterable<string>): void;
  close(): void;
}

interface Watched {
  readonly identity: string;
  readonly watcher: FSWatcher;
}

/** Calls `changed` whenever something may have happened to one of the files that are followed, and for no other file. */
export function watchFolders(root: string, changed: () => void, logger: Logger): WatchedFolders {
  const folders = new Map<string, Watched>();
  let followed: readonly string[] = [];

  /** The names that systems do not tell might be any. */
  function concerns(folder: string, name: string | null): boolean {
    if (name === null) return true;
    const path = join(folder, name);
    return followed.some((file) => file === path || file.startsWith(path + sep));
  }

  function open(folder: string, identity: string): void {
    try {
      const watcher = watch(folder, (_, name) => {
        if (concerns(folder, name)) changed();
      });
      watcher.on("error", () => forget(folder));
      folders.set(folder, { identity, watcher });
    } catch (error) {
      logger.warn(`${shownPath(folder)} cannot be watched for changes: ${(error as Error).message}.`);
    }
  }

  function forget(folder: string): void {
    folders.get(folder)?.watcher.close();
    folders.delete(folder);
  }

  return {
    follow(files) {
      followed = [...files];
      for (const folder of new Set(followed.flatMap((file) => foldersOf(file, root)))) {
        const identity = identityOf(folder);
        if (folders.get(folder)?.identity === identity) continue;
        forget(folder);
        if (identity !== undefined) open(folder, identity);
      }
    },
    close() {
      for (const folder of [...folders.keys()]) forget(folder);
    },
  };
}

function foldersOf(file: string, root: string): string[] {
  const parent = dirname(file);
  return parent.startsWith(root + sep) ? [parent, ...foldersOf(parent, root)] : [parent];
}

/** Tells a folder from another that took its place: a watcher stays with the old one. Numbers are used again, times are not. */
function identityOf(folder: string): string | undefined {
  const found = statSync(folder, { throwIfNoEntry: false });
  return found && `${found.ino} ${found.birthtimeMs}`;
}
