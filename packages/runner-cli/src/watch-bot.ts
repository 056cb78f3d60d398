import { type Bot, isRunnerError, type Logger, RunnerError } from "@pipecat-ts/runner-core";
import { stampOf } from "./file-stamp.ts";
import { type LoadedBot, loadBot } from "./load-bot.ts";
import { shownPath } from "./project.ts";
import type { ReloadedModules } from "./reload-modules.ts";
import { watchFolders } from "./watch-folders.ts";

/** How long files must be quiet before they are read: editors write in several steps. */
const quietMs = 50;
/** After so long they are read all the same. */
const patienceMs = 500;

/** A bot whose code follows its files. */
export interface WatchedBot {
  /** Runs the newest code that could be loaded. A session keeps the code it started with. */
  readonly bot: Bot;
  close(): void;
}

/**
 * Loads a bot anew whenever it or a file of its project that it imports was changed. What is given is its version 1. What cannot
 * be loaded is logged with its file and line; the code before goes on, and the next change is tried.
 */
export function watchBot({ file, bot }: LoadedBot, modules: ReloadedModules, logger: Logger): WatchedBot {
  const folders = watchFolders(modules.folder, touched, logger);
  const stamps = new Map([[file, stampOf(file)]]);
  let version = 1;
  let timer: NodeJS.Timeout | undefined;
  let latestMs: number | undefined;
  let current = bot;
  let closed = false;

  /** Follows what this version is known to consist of, too: what changed since it was read, or came, is a change. */
  function follow(): void {
    for (const [path, stamp] of modules.filesOf(version)) if (!stamps.has(path)) stamps.set(path, stamp);
    folders.follow(stamps.keys());
    if (changedFile() !== undefined) touched();
  }

  function changedFile(): string | undefined {
    return [...stamps].find(([path, stamp]) => stampOf(path) !== stamp)?.[0];
  }

  function touched(): void {
    latestMs ??= performance.now() + patienceMs;
    clearTimeout(timer);
    timer = setTimeout(() => void reload(), Math.min(quietMs, latestMs - performance.now()));
  }

  async function reload(): Promise<void> {
    latestMs = undefined;
    // A folder that came back is watched before its files are looked at.
    folders.follow(stamps.keys());
    const changed = changedFile();
    if (changed === undefined || closed) return;
    version += 1;
    const mine = version;
    // Before it is read: what changes meanwhile is another change.
    for (const path of stamps.keys()) stamps.set(path, stampOf(path));
    try {
      const { bot: changedBot } = await loadBot(file, mine);
      if (mine !== version || closed) return;
      current = changedBot;
      for (const path of stamps.keys()) if (path !== file && !modules.filesOf(mine).has(path)) stamps.delete(path);
      modules.forgetBefore(mine);
      logger.info(`${shownPath(changed)} was changed: new sessions run the new code`);
    } catch (error) {
      if (mine !== version || closed) return;
      const { message, fix } = isRunnerError(error) ? error : new RunnerError("BOT_INVALID", String(error));
      logger.error(`${[message, fix].filter(Boolean).join(" ")} New sessions run the code before.`);
    }
    follow();
  }

  follow();
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
