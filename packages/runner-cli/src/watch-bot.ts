import { statSync } from "node:fs";
import { type Bot, isRunnerError, type Logger, RunnerError } from "@pipecat-ts/runner-core";
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
  const stamps = new Map<string, string>();
  let version = 1;
  let timer: NodeJS.Timeout | undefined;
  let latestMs: number | undefined;
  let current = bot;
  let closed = false;

  /** Follows what this version is known to consist of, too. */
  function follow(): void {
    for (const path of [file, ...modules.filesOf(version)]) if (!stamps.has(path)) stamps.set(path, stampOf(path));
    folders.follow(stamps.keys());
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
    const changed = [...stamps].find(([path, stamp]) => stampOf(path) !== stamp)?.[0];
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

/** What changes when a file does; empty when it is not there. */
function stampOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  return found ? `${found.mtimeMs} ${found.size} ${found.ino}` : "";
}
