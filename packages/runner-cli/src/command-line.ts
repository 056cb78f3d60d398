import { dirname, resolve } from "node:path";
import { closest, type OptionDefinition, RunnerError, resolveOptions } from "@pipecat-ts/runner-core";
import { fleetFlags } from "@pipecat-ts/runner-fleet/options";
import { isolationFlags } from "@pipecat-ts/runner-gateway/options";
import { runnerFlags } from "@pipecat-ts/runner-host";
import { type CAC, cac } from "cac";
import { findBot, isBotFile, type LoadedBot, loadBot } from "./bot-file.ts";
import {
  camelCase,
  checkBotOptions,
  commandFlags,
  type Flag,
  type FlagGroup,
  flagsOf,
  isList,
  isSwitch,
  kebabCase,
  type MissingOption,
  missingOptions,
  requireOtherFlags,
  spelling,
} from "./flags.ts";
import { transportFlags } from "./generated/transport-flags.ts";
import { readManifest } from "./manifest.ts";
import { beside } from "./output.ts";
import { type FoundPlugins, findPlugins } from "./plugins.ts";
import { findProject, loadEnvironment, type Project, shownPath } from "./project.ts";
import { type ReloadedModules, reloadModules } from "./reload-modules.ts";

/** The runner's own flags. */
export const runnerGroup: FlagGroup = {
  name: "Options",
  table: { ...runnerFlags, ...isolationFlags, ...fleetFlags, ...commandFlags },
};

/** A command line, read in the project that its bot belongs to. */
export interface CommandLine {
  readonly project: Project;
  readonly found: FoundPlugins;
  /** The runner's options that were given. */
  readonly given: Readonly<Record<string, unknown>>;
  /** The transports' options that were given, by transport. */
  readonly pluginOptions: ParsedCommand["given"];
  /** `args.cliArgs`: the flags that were given, and all of the bot's own options. */
  readonly cliArgs: Readonly<Record<string, unknown>>;
  /** The required options of the bot that have no value. */
  readonly missing: readonly MissingOption[];
  readonly bot: LoadedBot;
  /** With `--watch`: tracks the bot's modules. The loaded bot is version 1. */
  readonly modules: ReloadedModules | undefined;
}

/**
 * Reads a command line. The flags depend on the project's transports and on the bot's own options, and both depend on the
 * bot's file. So it is parsed three times: with the runner's flags to find the project, with the transports' flags to find
 * the bot, and with all flags.
 *
 * `itself` is the bot's file when that file is the program. `--help` prints the help and returns `undefined`, without
 * running a bot that is not the program; it lists `subcommands`. Throws OPTION_INVALID, BOT_NOT_FOUND, BOT_INVALID, PLUGIN_INVALID.
 */
export async function readCommandLine(
  argv: readonly string[],
  itself?: string,
  subcommands: HelpedWords = [],
): Promise<CommandLine | undefined> {
  const first = itself ?? parsePartly(argv, [runnerGroup]).bot;
  const folder = first === undefined ? process.cwd() : dirname(resolve(first));
  const project = findProject(folder);
  loadEnvironment([folder, project.folder]);
  const found = await findPlugins(project);
  const transports = found.plugins.map(({ name, options = {} }): FlagGroup => ({ name, table: options }));
  const others = [runnerGroup, ...transports];
  const config = checkBotOptions(found.botOptions, "pipecat-runner.config", others);

  const { bot: named, given } = parsePartly(argv, others);
  const ownGiven = given[runnerGroup.name] ?? {};
  const flags = resolveOptions(commandFlags, { given: ownGiven });
  const { help, watch } = flags;
  if (help) {
    const own = itself === undefined ? {} : checkBotOptions((await loadBot(itself)).options, shownPath(itself), others);
    const groups = [runnerGroup, { name: "Bot", table: { ...config, ...own } }, ...transports];
    printHelp(groups, itself === undefined ? subcommands : undefined);
    return undefined;
  }
  requireOtherFlags(flags, ownGiven);
  const modules = watch ? reloadModules(project.folder) : undefined;
  const bot = await loadBot(itself ?? findBot(named, process.cwd()), modules && 1);
  const name = shownPath(bot.file);
  const table = { ...config, ...checkBotOptions(bot.options, name, others) };
  const command = parseCommand(argv, [runnerGroup, { name, table }, ...transports], itself === undefined);
  if (command.bot !== undefined && resolve(command.bot) !== bot.file) {
    throw new RunnerError("OPTION_INVALID", `The bot "${command.bot}" follows a flag of its own.`, {
      fix: `Name the bot first: pipecat-runner ${command.bot} …`,
    });
  }
  const { [runnerGroup.name]: own = {}, [name]: ofBot = {}, ...pluginOptions } = command.given;
  const values = resolveOptions(table, { given: ofBot });
  const botArgs = Object.entries(values).filter(([, value]) => value !== undefined);
  const cliArgs = { ...command.cliArgs, ...Object.fromEntries(botArgs) };
  const missing = missingOptions(table, values);
  return { project, found, given: own, pluginOptions, cliArgs, missing, bot, modules };
}

/** A parsed command line. */
export interface ParsedCommand {
  /** The first argument that is not a flag. */
  readonly bot: string | undefined;
  /** The values of the flags: by group, then by option. */
  readonly given: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /**
   * The flags for `args.cliArgs`: by camelCase flag, converted; the arguments after `--` as `"--"`. Without secrets of the
   * runner and its transports, because bots log their arguments.
   */
  readonly cliArgs: Readonly<Record<string, unknown>>;
}

/** Parses the flags of `groups`, and ignores others and missing values. */
export function parsePartly(argv: readonly string[], groups: readonly FlagGroup[]): Omit<ParsedCommand, "cliArgs"> {
  const { cli, flags } = parse(argv, groups, true);
  const given = givenOptions(cli, flags, groups);
  // The list of a flag that is not known yet may stand before the bot.
  return { bot: cli.args.find(isBotFile) ?? botOf(cli), given };
}

/**
 * Parses a command line, without the program's name. A flag that several groups declare goes to all of them, a one-letter
 * flag to the first. A list flag takes all values up to the next flag. `namesBot`: one argument may name the bot.
 *
 * Throws OPTION_INVALID for an unknown flag, a missing or invalid value, and an unexpected argument.
 */
export function parseCommand(argv: readonly string[], groups: readonly FlagGroup[], namesBot = true): ParsedCommand {
  const { cli, flags } = parse(argv, groups, namesBot);
  rejectUnknownFlags(cli, flags);
  for (const { key, definition } of flags) rejectMissingValue(key, definition, cli);
  const [surplus] = cli.args.slice(namesBot ? 1 : 0);
  if (surplus !== undefined) {
    throw new RunnerError("OPTION_INVALID", `Unexpected argument "${surplus}".`, {
      fix: "Pass arguments for the bot after --.",
    });
  }
  const given = givenOptions(cli, flags, groups);
  const rest: readonly string[] = cli.options["--"] ?? [];
  return { bot: botOf(cli), given, cliArgs: { ...convert(groups, given), ...(rest.length > 0 && { "--": rest }) } };
}

/** Declares the flags to cac and lets it parse. */
function parse(argv: readonly string[], groups: readonly FlagGroup[], namesBot: boolean) {
  const flags = flagsOf(groups);
  const cli = cac("pipecat-runner");
  const command = cli.command("[bot]").usage("[bot] [options] [-- arguments for the bot]");
  for (const { definition, key } of flags) {
    const { short, ...long } = definition;
    const isShortTaken = short !== undefined && command.hasOption(short) !== undefined;
    if (!command.hasOption(key)) command.option(spelling(isShortTaken ? long : definition), definition.description);
  }
  cli.parse(["node", cli.name, ...repeatListFlags(argv, flags, namesBot)], { run: false });
  return { cli, flags };
}

/**
 * Repeats a list flag before each of its values, because cac takes one: `--numbers 1 2` becomes `--numbers 1 --numbers 2`. The list
 * ends at the next flag, and at the file of the bot, unless an argument before names the bot.
 */
function repeatListFlags(argv: readonly string[], flags: readonly Flag[], namesBot: boolean): string[] {
  const result: string[] = [];
  let mayBeBot = namesBot;
  let list: string | undefined;
  /** Whether the last argument is a flag that takes the next one. */
  let takesNext = false;
  for (const [index, argument] of argv.entries()) {
    if (argument === "--") return [...result, ...argv.slice(index)];
    if (argument.startsWith("-")) {
      const definition = flags.find((flag) => isSpelling(argument, flag))?.definition;
      takesNext = !argument.includes("=") && !(definition && isSwitch(definition)) && !argument.startsWith("--no-");
      list = takesNext && definition && isList(definition) ? argument : undefined;
    } else if (takesNext) {
      takesNext = false;
    } else if (list !== undefined && !(mayBeBot && isBotFile(argument))) {
      result.push(list);
    } else {
      mayBeBot = false;
      list = undefined;
    }
    result.push(argument);
  }
  return result;
}

/** Whether an argument is `--flag`, `--flag=value`, or a group of one-letter flags that ends with this one. */
function isSpelling(argument: string, { key, definition }: Flag): boolean {
  const [name = ""] = argument.split("=");
  return name.startsWith("--") ? camelCase(name.slice(2)) === key : name.at(-1) === definition.short;
}

function botOf(cli: CAC): string | undefined {
  const [bot] = cli.args;
  return bot === undefined ? undefined : String(bot);
}

function rejectUnknownFlags({ options, matchedCommand }: CAC, flags: readonly Flag[]): void {
  for (const key of Object.keys(options)) {
    if (key === "--" || matchedCommand?.hasOption(key)) continue;
    const flag = kebabCase(key);
    const name = key.length === 1 ? `-${key}` : `--${flag}`;
    const packages = Object.hasOwn(transportFlags, flag) ? (transportFlags[flag] ?? []) : [];
    if (packages.length > 0) {
      throw new RunnerError(
        "OPTION_INVALID",
        `${name} is a flag of ${packages.join(", ")}, which this project does not use.`,
        {
          fix: `Install ${packages.length > 1 ? "one of them" : "it"}: npm install ${packages.join(" | ")}`,
        },
      );
    }
    const similar = closest(
      flag,
      flags.map(({ definition }) => `${definition.flag}`),
    );
    throw new RunnerError("OPTION_INVALID", `${name} is not a flag.`, {
      fix: similar === undefined ? "See pipecat-runner --help." : `Did you mean --${similar}?`,
    });
  }
}

function rejectMissingValue(key: string, definition: OptionDefinition, { options, rawArgs }: CAC): void {
  if (isSwitch(definition) || options[key] === undefined) return;
  const isEmpty = rawArgs.some((argument) => argument === `--${definition.flag}=`);
  if (!isEmpty && ![options[key]].flat().some((value) => typeof value === "boolean")) return;
  throw new RunnerError("OPTION_INVALID", `--${definition.flag} has no value.`, {
    fix: `Use ${spelling(definition).split(", ").at(-1)}.`,
  });
}

/**
 * The values of the flags as `resolveOptions` takes them, without missing ones. Of a repeated flag the last value counts; lists are
 * joined.
 */
function givenOptions(cli: CAC, flags: readonly Flag[], groups: readonly FlagGroup[]): ParsedCommand["given"] {
  const given: Record<string, Record<string, unknown>> = Object.fromEntries(groups.map(({ name }) => [name, {}]));
  for (const { group, option, definition, key } of flags) {
    if (cli.options[key] === undefined) continue;
    const values = isSwitch(definition)
      ? [cli.options[key]].flat()
      : textsOf(definition, key, cli).filter((value) => typeof value !== "boolean");
    if (values.length === 0) continue;
    Object.assign(given[group] ?? {}, { [option]: isList(definition) ? values.join(",") : values.at(-1) });
  }
  return given;
}

/** The values of a flag as typed: cac turns numeric text into numbers, so that `+49` and `007` would change. */
function textsOf({ short }: OptionDefinition, key: string, { options, rawArgs }: CAC): readonly unknown[] {
  const values: readonly unknown[] = [options[key]].flat();
  if (!values.some((value) => typeof value === "number")) return values;
  const end = rawArgs.indexOf("--");
  const args = end < 0 ? rawArgs : rawArgs.slice(0, end);
  return args.flatMap((argument, index) => {
    const [, dashes, name = "", text = args[index + 1]] = argument.match(/^(--?)([^=]+)(?:=(.*))?$/s) ?? [];
    const isThis = dashes === "--" ? camelCase(name) === key : dashes === "-" && name.at(-1) === short;
    return isThis && text !== undefined ? [text] : [];
  });
}

/** The given options as their tables convert them, by camelCase flag. */
function convert(groups: readonly FlagGroup[], given: ParsedCommand["given"]): Record<string, unknown> {
  const entries = groups.flatMap((group) => {
    const own = given[group.name] ?? {};
    const values = resolveOptions(group.table, { given: own, env: {} });
    return flagsOf([group])
      .filter(({ option, definition }) => option in own && !definition.secret)
      .map(({ option, key }) => [key, values[option]] as const);
  });
  return Object.fromEntries(entries);
}

/** Prints the versions of this package and Node, and the platform. Returns the exit code. */
export function printVersion(): number {
  cac("pipecat-runner").version(readManifest().version).outputVersion();
  return 0;
}

function printHelp(groups: readonly FlagGroup[], subcommands: HelpedWords | undefined): void {
  const { cli } = parse([], groups, false);
  const own = helpSections(groups, subcommands, process.stdout.columns);
  cli
    .version(readManifest().version)
    .help(([program, usage]) => [program, usage, ...own].filter((section) => !!section));
  cli.outputHelp();
}

/** A part of `--help`. */
interface HelpSection {
  readonly title?: string;
  readonly body: string;
}

/** Words of the command line, with their line in `--help`. */
type HelpedWords = readonly { readonly name: string; readonly description: string }[];

/**
 * The part of `--help` below the usage: the flags of every group under its own heading. `subcommands` is undefined when the bot is
 * the program: its flags are then among the groups. `columns`: the terminal's width.
 */
export function helpSections(
  groups: readonly FlagGroup[],
  subcommands: HelpedWords | undefined,
  columns?: number,
): readonly HelpSection[] {
  const labels = flagsOf(groups).map(({ definition }) => label(definition).length);
  const indent = 2 + Math.max(0, ...labels);
  const bot = "The file that exports bot(args). Default: bot.ts, .mts, .js or .mjs, here or in src/.";
  const note =
    "Flags in a bot's file are not listed, because --help does not run the bot. To list them, export them from pipecat-runner.config.ts.";
  const words: HelpedWords = [{ name: "bot", description: bot }, ...(subcommands ?? [])];
  return [
    ...(subcommands
      ? [{ body: words.map(({ name, description }) => beside(`  ${name}`, description, indent, columns)).join("\n") }]
      : []),
    ...groups.flatMap((group) => {
      const lines = flagsOf([group]).map(({ definition }) =>
        beside(label(definition), describe(definition), indent, columns),
      );
      return lines.length === 0 ? [] : [{ title: group.name, body: lines.join("\n") }];
    }),
    ...(subcommands ? [{ body: beside("", note, 0, columns) }] : []),
  ];
}

function label(definition: OptionDefinition): string {
  return `${definition.short === undefined ? "      " : "  "}${spelling(definition)}`;
}

function describe(definition: OptionDefinition): string {
  const { description, default: value, env = [], secret } = definition;
  const hasDefault = value !== undefined && String(value) !== "" && !isSwitch(definition) && !secret;
  const notes = [...(hasDefault ? [`default ${value}`] : []), ...[env].flat()].join(", ");
  return notes === "" ? description : `${description} [${notes.replaceAll(" ", "\u00a0")}]`;
}
