import { type FSWatcher, statSync, watch } from "node:fs";
import { dirname } from "node:path";
import { type Bot, isRunnerError, type Logger, RunnerError } from "@pipecat-ts/runner-core";
import { type LoadedBot, loadBot } from "./load-bot.ts";
import { shownPath } from "./project.ts";
import type { ReloadedModules } from "./reload-modules.ts";

/** How long files must be quiet before they are read: editors write in several steps. */
const quietMs = 50;

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
  const watchers = new Map<string, FSWatcher>();
  let version = 1;
  let stamps = new Map<string, string>();
  let timer: NodeJS.Timeout | undefined;
  let current = bot;
  let closed = false;

  /** Watches the folders of this version's files: a file that an editor replaces is another one. */
  function follow(): void {
    const files = new Set([file, ...modules.filesOf(version), ...stamps.keys()]);
    stamps = new Map([...files].map((path) => [path, stampOf(path)]));
    for (const path of files) {
      const parent = dirname(path);
      if (watchers.has(parent)) continue;
      const watcher = watch(parent, () => {
        clearTimeout(timer);
        timer = setTimeout(() => void reload(), quietMs);
      });
      watcher.on("error", () => watchers.delete(parent) && watcher.close());
      watchers.set(parent, watcher);
    }
  }

  async function reload(): Promise<void> {
    const changed = [...stamps].find(([path, stamp]) => stampOf(path) !== stamp)?.[0];
    if (changed === undefined || closed) return;
    version += 1;
    const mine = version;
    // Before it is read: what changes meanwhile is another change.
    follow();
    try {
      const { bot: changedBot } = await loadBot(file, mine);
      if (mine !== version || closed) return;
      current = changedBot;
      stamps = new Map([...stamps].filter(([path]) => path === file || modules.filesOf(mine).has(path)));
      modules.forgetBefore(mine);
      logger.info(`${shownPath(changed)} was changed: new sessions run the new code`);
    } catch (error) {
      const { message, fix } = isRunnerError(error) ? error : new RunnerError("BOT_INVALID", String(error));
      logger.error(`${[message, fix].filter(Boolean).join(" ")} New sessions run the code before.`);
    }
    if (!closed) follow();
  }

  follow();
  return {
    bot: (args) => current(args),
    close() {
      closed = true;
      clearTimeout(timer);
      for (const watcher of watchers.values()) watcher.close();
      modules.stop();
    },
  };
}

/** What changes when a file does; empty when it is not there. */
function stampOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  return found ? `${found.mtimeMs} ${found.size} ${found.ino}` : "";
}
