import { dirname, resolve } from "node:path";
import { resolveOptions } from "@pipecat-ts/runner-core";
import { runnerFlags } from "@pipecat-ts/runner-host";
import { guessBot } from "./bot-guess.ts";
import { type BotOptions, checkBotOptions } from "./bot-options.ts";
import { type Command, parseCommand } from "./command.ts";
import { loadEnvironment } from "./environment.ts";
import { findBot } from "./find-bot.ts";
import { type FoundPlugins, findPlugins } from "./find-plugins.ts";
import { commandFlags, type FlagGroup } from "./flags.ts";
import { type LoadedBot, loadBot } from "./load-bot.ts";
import { findProject, type Project, shownPath } from "./project.ts";
import { type ReloadedModules, reloadModules } from "./reload-modules.ts";

/** The name of the runner's own options, over them in `--help`. */
const own = "Options";

/** What a command line comes to, in the project that its bot belongs to. */
export interface CommandLine {
  readonly project: Project;
  readonly found: FoundPlugins;
  /** Every flag there is, by owner: the runner, the bot, the transports. */
  readonly groups: readonly FlagGroup[];
  /** The runner's options that were given. */
  readonly given: Readonly<Record<string, unknown>>;
  /** The transports' options that were given, by transport. */
  readonly pluginOptions: Command["given"];
  /** As bots see it: what was given, and all of the bot's own options. */
  readonly cliArgs: Readonly<Record<string, unknown>>;
  /** The bot, with its file. Throws BOT_NOT_FOUND, BOT_INVALID: `--help` works without it. */
  readonly bot: () => LoadedBot;
  /** The versions of the bot's modules, of which it is the first: with `--watch`. */
  readonly modules: ReloadedModules | undefined;
}

/**
 * Reads a command line. The flags depend on the project's transports and the bot's own options, and both on which argument
 * is the bot: so that is guessed, and the bot loaded, before the flags are known. `itself` is the bot's file when that is the
 * program.
 *
 * Throws OPTION_INVALID, and what is wrong with the bot where that may be why.
 */
export async function readCommandLine(argv: readonly string[], itself: string | undefined): Promise<CommandLine> {
  const runner: FlagGroup = { name: own, table: { ...runnerFlags, ...commandFlags } };
  const guess = itself ?? guessBot(argv, [runner]);
  const folder = guess === undefined ? process.cwd() : dirname(resolve(guess));
  const project = findProject(folder);
  loadEnvironment([folder, project.folder]);
  const found = await findPlugins(project);
  const transports = found.plugins.map(({ name, options = {} }): FlagGroup => ({ name, table: options }));

  const named = itself ?? guessBot(argv, [runner, ...transports]);
  const isWatched = argv.slice(0, argv.indexOf("--") >>> 0).includes("--watch");
  const modules = isWatched ? reloadModules(project.folder) : undefined;
  const attempt = async (name?: string): Promise<LoadedBot | { readonly error: unknown }> => {
    try {
      return await loadBot(itself ?? findBot(name, process.cwd()), modules && 1);
    } catch (error) {
      return { error };
    }
  };
  let outcome = await attempt(named);
  const taken = [runner.table, ...transports.map(({ table }) => table)];
  const name = "file" in outcome ? shownPath(outcome.file) : "Bot";
  const table: BotOptions = {
    ...checkBotOptions(found.botOptions, "pipecat-runner.config", taken),
    ...("file" in outcome && checkBotOptions(outcome.options, name, taken)),
  };
  const groups = [runner, { name, table }, ...transports];

  const command = parse(argv, groups, itself === undefined, outcome);
  if (itself === undefined && command.bot !== named) outcome = await attempt(command.bot);
  const { [own]: given = {}, [name]: ofBot = {}, ...pluginOptions } = command.given;
  const botArgs = Object.entries(resolveOptions(table, { given: ofBot })).filter(([, value]) => value !== undefined);
  return {
    project,
    found,
    groups,
    given,
    pluginOptions,
    cliArgs: { ...command.cliArgs, ...Object.fromEntries(botArgs) },
    bot() {
      if ("file" in outcome) return outcome;
      throw outcome.error;
    },
    modules,
  };
}

/** A flag may be unknown because the bot that declares it could not be loaded: then that is what is said. */
function parse(
  argv: readonly string[],
  groups: readonly FlagGroup[],
  namesBot: boolean,
  outcome: LoadedBot | { readonly error: unknown },
): Command {
  try {
    return parseCommand(argv, groups, namesBot);
  } catch (error) {
    throw "error" in outcome && !/^(-h|--help)$/m.test(argv.join("\n")) ? outcome.error : error;
  }
}
