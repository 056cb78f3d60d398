import { inspect } from "node:util";
import { type OptionTable, RunnerError } from "@pipecat-ts/runner-core";
import { flagsOf } from "./flags.ts";

/** The flags and variables of a bot's own. */
export type BotOptions = OptionTable<Readonly<Record<string, unknown>>>;

/**
 * Checks what a bot's file, or the project's config, exports as `options`; `where` names it. Throws BOT_INVALID: what is no
 * table of options, or takes a flag of `taken`.
 */
export function checkBotOptions(options: unknown, where: string, taken: readonly BotOptions[]): BotOptions {
  if (options === undefined) return {};
  const fix = 'Write: export const options = { mood: { flag: "mood", description: "…", schema: { type: "string" } } };';
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new RunnerError("BOT_INVALID", `"options" in ${where} is ${inspect(options)}.`, { fix });
  }
  const table = options as BotOptions;
  const others = new Set(taken.flatMap((other) => flagsOf(other).map(([, { flag }]) => flag)));
  for (const [name, definition] of Object.entries(table)) {
    const { flag, description, schema } = Object(definition);
    const isFlag = flag === undefined || (typeof flag === "string" && /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(flag));
    if (!isFlag || typeof description !== "string" || typeof schema !== "object" || schema === null) {
      throw new RunnerError(
        "BOT_INVALID",
        `The option "${name}" in ${where} needs a flag in lower case, a description and a schema.`,
        { fix },
      );
    }
    if (!others.has(flag)) continue;
    throw new RunnerError("BOT_INVALID", `The option "${name}" in ${where} has the flag --${flag}, which is taken.`, {
      fix: "Give it another flag.",
    });
  }
  return table;
}
