import { statSync } from "node:fs";
import { resolve } from "node:path";
import { RunnerError } from "@pipecat-ts/runner-core";
import { shownPath } from "./project.ts";

const names: readonly string[] = ["bot.ts", "bot.mts", "bot.js", "bot.mjs"];

/** The files that may be meant when nobody names one. No other file is ever run. */
export const defaultBots: readonly string[] = [...names, ...names.map((name) => `src/${name}`)];

/**
 * The absolute path of the bot: the file that was named, else the first of `defaultBots` in `folder`.
 *
 * Throws BOT_NOT_FOUND, which says what was looked for.
 */
export function findBot(named: string | undefined, folder: string): string {
  if (named === undefined) {
    const found = defaultBots.map((name) => resolve(folder, name)).find(isFile);
    if (found !== undefined) return found;
    throw new RunnerError(
      "BOT_NOT_FOUND",
      `There is no bot.ts in ${folder} (nor bot.mts, bot.js, bot.mjs, nor in src/).`,
      {
        fix: "Name the file: pipecat-runner path/to/bot.ts",
      },
    );
  }
  const file = resolve(folder, named);
  if (isFile(file)) return file;
  const inside = defaultBots.map((name) => resolve(file, name)).find(isFile);
  throw new RunnerError("BOT_NOT_FOUND", `There is no file ${shownPath(file)}.`, {
    fix: inside === undefined ? "Name the file that exports your bot." : `Did you mean ${shownPath(inside)}?`,
  });
}

/** Whether an argument of the command line looks like a bot's file. */
export function looksLikeBot(argument: string): boolean {
  return /^[^-].*\.[mc]?[jt]sx?$/.test(argument);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
