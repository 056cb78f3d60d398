import { statSync } from "node:fs";
import { resolve } from "node:path";
import { type Bot, RunnerError } from "@pipecat-ts/runner-core";
import { importModule } from "./import-module.ts";
import { shownPath } from "./project.ts";

const names: readonly string[] = ["bot.ts", "bot.mts", "bot.js", "bot.mjs"];

/** The files that may be the bot when the command line names none. No other file is ever run. */
const defaultBots: readonly string[] = [...names, ...names.map((name) => `src/${name}`)];

/**
 * The absolute path of the bot: the file that was named, else the first of `defaultBots` in `folder`.
 *
 * Throws BOT_NOT_FOUND, which lists the names it looked for.
 */
export function findBot(named: string | undefined, folder: string): string {
  if (named === undefined) {
    const found = defaultBots.map((name) => resolve(folder, name)).find(isFile);
    if (found !== undefined) return found;
    throw new RunnerError(
      "BOT_NOT_FOUND",
      `Cannot find bot.ts, bot.mts, bot.js or bot.mjs in ${folder} or its folder src.`,
      { fix: "Name the file: pipecat-runner path/to/bot.ts" },
    );
  }
  const file = resolve(folder, named);
  if (isFile(file)) return file;
  const inside = defaultBots.map((name) => resolve(file, name)).find(isFile);
  throw new RunnerError("BOT_NOT_FOUND", `Cannot find the file ${shownPath(file)}.`, {
    fix: inside === undefined ? "Name the file that exports your bot." : `Did you mean ${shownPath(inside)}?`,
  });
}

/** Whether a path has the ending of a bot's file. */
export function isBotFile(path: string): boolean {
  return /\.m?[jt]s$/.test(path);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/** The exports of a bot's file. */
export interface LoadedBot {
  /** The absolute path. */
  readonly file: string;
  readonly bot: Bot;
  /** Its `options`, unchecked: the bot's own flags. */
  readonly options: unknown;
}

/**
 * Imports a bot file. `version` distinguishes one state of the file from the next, see `reloadModules`. Throws BOT_INVALID
 * when the file cannot be imported, has no `bot`, or has one that is not a function.
 */
export async function loadBot(file: string, version?: number): Promise<LoadedBot> {
  const module = await importModule(file, version);
  const { bot, options } = module;
  if (typeof bot === "function") return { file, bot: bot as Bot, options };
  const fix = "Add: export async function bot(args) { … }";
  if (bot !== undefined) {
    throw new RunnerError("BOT_INVALID", `"bot" in ${shownPath(file)} is ${kindOf(bot)}, not a function.`, { fix });
  }
  const exported = Object.keys(module).filter((name) => name !== "module.exports");
  const list = exported.length === 0 ? "nothing" : exported.map((name) => `"${name}"`).join(", ");
  throw new RunnerError("BOT_INVALID", `${shownPath(file)} does not export "bot". It exports ${list}.`, { fix });
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "an array" : `${typeof value === "object" ? "an" : "a"} ${typeof value}`;
}
