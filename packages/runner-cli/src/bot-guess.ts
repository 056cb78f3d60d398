import { looksLikeBot } from "./find-bot.ts";
import { type FlagGroup, flagsOf, isSwitch } from "./flags.ts";

/**
 * The argument that names the bot, before all flags are known: the bot itself may declare some. What stands behind a flag
 * of `groups` that takes a value is not it, nor what stands behind `--`.
 */
export function guessBot(argv: readonly string[], groups: readonly FlagGroup[]): string | undefined {
  const valued = new Set(
    groups
      .flatMap(({ table }) => flagsOf(table).map(([, definition]) => definition))
      .filter((definition) => !isSwitch(definition))
      .flatMap(({ flag, short }) => [`--${flag}`, ...(short === undefined ? [] : [`-${short}`])]),
  );
  const own = argv.slice(0, argv.indexOf("--") >>> 0);
  return own.find((argument, index) => looksLikeBot(argument) && !valued.has(own[index - 1] ?? ""));
}
