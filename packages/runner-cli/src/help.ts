import type { OptionDefinition } from "@pipecat-ts/runner-core";
import { type FlagGroup, flagsOf, isSwitch, spelling } from "./flags.ts";
import { beside } from "./text-layout.ts";

/** What `--help` prints: every group's flags under its own heading. `columns` is the terminal's width. */
export function helpText(version: string, groups: readonly FlagGroup[], columns?: number): string {
  const sections = groups.map(({ name, table }) => ({
    name,
    flags: flagsOf(table).map(([, definition]) => definition),
  }));
  const indent = 2 + Math.max(...sections.flatMap(({ flags }) => flags.map((flag) => labelOf(flag).length)));
  const bot = "The file that exports bot(args). Default: bot.ts, .mts, .js or .mjs, here or in src/.";
  return [
    `pipecat-runner ${version}: runs a voice bot and lets callers in.`,
    "Usage: pipecat-runner [bot] [options] [-- arguments for the bot]",
    beside("  bot", bot, indent, columns),
    ...sections
      .filter(({ flags }) => flags.length > 0)
      .map(({ name, flags }) =>
        [`${name}:`, ...flags.map((flag) => beside(labelOf(flag), describe(flag), indent, columns))].join("\n"),
      ),
  ].join("\n\n");
}

function labelOf(definition: OptionDefinition): string {
  return `${definition.short === undefined ? "      " : "  "}${spelling(definition)}`;
}

function describe(definition: OptionDefinition): string {
  const { description, default: value, env = [], secret } = definition;
  const notes = [
    ...(value === undefined || String(value) === "" || isSwitch(definition) || secret ? [] : [`default ${value}`]),
    ...[env].flat(),
  ].join(", ");
  return notes === "" ? description : `${description} [${notes.replaceAll(" ", "\u00a0")}]`;
}
