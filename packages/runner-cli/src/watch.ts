import { type FSWatcher, statSync, watch } from "node:fs";
import { dirname, join, sep } from "node:path";
import { type Bot, isRunnerError, type Logger, RunnerError } from "@pipecat-ts/runner-core";
import { type LoadedBot, loadBot } from "./bot-file.ts";
import { shownPath } from "./project.ts";
import { type ReloadedModules, stampOf } from "./reload-modules.ts";

/** How long files must stay unchanged before they are read: editors write in several steps. */
const quietMs = 50;
/** The longest wait for that. */
const maxWaitMs = 500;

/** A bot that is reloaded when its files change. */
export interface WatchedBot {
  /** Runs the newest code that could be loaded. A session keeps the code that it started with. */
  readonly bot: Bot;
  close(): void;
}

/**
 * Reloads a bot when its file, or a file of its project that it imports, changes. The given bot is version 1. Code that
 * cannot be loaded is logged with its file and line; new sessions then run the previous code until the next change.
 */
export function watchBot({ file, bot }: LoadedBot, modules: ReloadedModules, logger: Logger): WatchedBot {
  const folders = watchFolders(modules.folder, touched, logger);
  const stamps = new Map([[file, stampOf(file)]]);
  let version = 1;
  let timer: NodeJS.Timeout | undefined;
  let latestMs: number | undefined;
  let current = bot;
  let closed = false;

  /** Also watches the files of this version, and folders that were recreated. */
  function follow(): void {
    for (const [path, stamp] of modules.filesOf(version)) if (!stamps.has(path)) stamps.set(path, stamp);
    folders.follow(stamps.keys());
  }

  function changedFile(): string | undefined {
    return [...stamps].find(([path, stamp]) => stampOf(path) !== stamp)?.[0];
  }

  function touched(): void {
    latestMs ??= performance.now() + maxWaitMs;
    clearTimeout(timer);
    timer = setTimeout(() => void reload(), Math.min(quietMs, latestMs - performance.now()));
  }

  async function reload(): Promise<void> {
    latestMs = undefined;
    follow();
    const changed = changedFile();
    if (changed === undefined || closed) return;
    version += 1;
    const mine = version;
    // Before the files are read: a change during the import counts as the next change.
    for (const path of stamps.keys()) stamps.set(path, stampOf(path));
    try {
      const { bot: changedBot } = await loadBot(file, mine);
      if (mine !== version || closed) return;
      current = changedBot;
      for (const path of stamps.keys()) if (path !== file && !modules.filesOf(mine).has(path)) stamps.delete(path);
      modules.forgetBefore(mine);
      logger.info({ file: shownPath(changed) }, "bot reloaded");
    } catch (error) {
      if (mine !== version || closed) return;
      const { message, fix = "" } = isRunnerError(error) ? error : new RunnerError("BOT_INVALID", String(error));
      logger.error(`${message} New sessions run the previous code. ${fix}`.trim());
      logger.debug({ err: error }, "bot not reloaded");
    }
    touched(); // A file that changed after it was read counts as a change.
  }

  modules.onImport(touched);
  touched();
  return {
    bot: (args) => current(args),
    close() {
      closed = true;
      clearTimeout(timer);
      folders.close();
      modules.stop();
    },
  };
}

/** Watches the folders of files, and the folders above them up to `root`, because a whole folder may be replaced. */
interface WatchedFolders {
  /** Watches for changes of these files, whether they exist or not, and reopens folders that were replaced. */
  follow(files: Iterable<string>): void;
  close(): void;
}

interface WatchedFolder {
  readonly identity: string;
  readonly watcher: FSWatcher;
}

/** Calls `changed` when one of the followed files may have changed. */
function watchFolders(root: string, changed: () => void, logger: Logger): WatchedFolders {
  const folders = new Map<string, WatchedFolder>();
  let followed: readonly string[] = [];

  /** Some systems report a change without a name: it may be any file. */
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
      logger.warn({ err: error, folder: shownPath(folder) }, "cannot watch folder");
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

/** The outermost first: a folder that appears after its place was looked at is an event of the folder above. */
function foldersOf(file: string, root: string): string[] {
  const parent = dirname(file);
  return parent.startsWith(root + sep) ? [...foldersOf(parent, root), parent] : [parent];
}

/** Changes when a folder is replaced, because a watcher stays with the old folder. Inode numbers are reused, so includes the time. */
function identityOf(folder: string): string | undefined {
  const found = statSync(folder, { throwIfNoEntry: false });
  return found && `${found.ino} ${found.birthtimeMs}`;
}
