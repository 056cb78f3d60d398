import { type Bot, RunnerError } from "@pipecat-ts/runner-core";
import { importModule } from "./import-module.ts";
import { shownPath } from "./project.ts";

/** What a bot's file exports. */
export interface LoadedBot {
  /** The absolute path. */
  readonly file: string;
  readonly bot: Bot;
  /** Its `options`, unchecked: the flags of its own. */
  readonly options: unknown;
}

/**
 * Imports a bot file; `version` tells one state of it from the next, see `reloadModules`. Throws BOT_INVALID: the file is
 * broken, has no `bot`, or one that is no function.
 */
export async function loadBot(file: string, version?: number): Promise<LoadedBot> {
  const module = await importModule(file, version);
  const { bot, options } = module;
  if (typeof bot === "function") return { file, bot: bot as Bot, options };
  const fix = "Add: export async function bot(args) { … }";
  if (bot !== undefined) {
    throw new RunnerError("BOT_INVALID", `"bot" in ${shownPath(file)} is no function but ${kindOf(bot)}.`, { fix });
  }
  const names = Object.keys(module).filter((name) => name !== "module.exports");
  const exported = names.length === 0 ? "nothing" : names.map((name) => `"${name}"`).join(", ");
  throw new RunnerError("BOT_INVALID", `${shownPath(file)} exports ${exported}, and not "bot".`, { fix });
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "an array" : `${typeof value === "object" ? "an" : "a"} ${typeof value}`;
}
