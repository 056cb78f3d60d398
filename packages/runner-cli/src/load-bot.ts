import { type Bot, RunnerError } from "@pipecat-ts/runner-core";
import { importModule } from "./import-module.ts";
import { shownPath } from "./project.ts";

/** Imports a bot file and answers its `bot`. Throws BOT_INVALID: the file is broken, has no `bot`, or one that is no function. */
export async function loadBot(file: string): Promise<Bot> {
  const module = await importModule(file);
  const { bot } = module;
  if (typeof bot === "function") return bot as Bot;
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
