import { RunnerError, resolveOptions } from "@pipecat-ts/runner-core";
import { cac } from "cac";
import { camelCase, type FlagGroup, flagsOf, givenValue, spelling, unknownFlag } from "./flags.ts";

/** A command line, taken apart. */
export interface Command {
  /** The first argument that is no flag. */
  readonly bot: string | undefined;
  /** What was given by flag: by group, then by option. */
  readonly given: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /**
   * What was given, as bots see it: by the flag's camelCase name, converted; what stands behind `--` under `"--"`. Secrets
   * of the runner and its transports are not among it: bots log their arguments.
   */
  readonly cliArgs: Readonly<Record<string, unknown>>;
}

/**
 * Takes apart a command line, without the program's name. A flag that several groups have goes to all of them, a
 * letter to the first. Only where it `namesBot` may there be an argument that is no flag.
 *
 * Throws OPTION_INVALID: a flag nobody knows, one without its value, a bad value, an argument too many.
 */
export function parseCommand(argv: readonly string[], groups: readonly FlagGroup[], namesBot = true): Command {
  const flags = groups.flatMap(({ name: group, table }) =>
    flagsOf(table).map(([option, definition]) => ({ group, option, definition, key: camelCase(`${definition.flag}`) })),
  );
  const cli = cac("pipecat-runner");
  const command = cli.command("[bot]");
  for (const { definition, key } of flags) {
    const { short, ...long } = definition;
    const isShortTaken = short !== undefined && command.hasOption(short) !== undefined;
    if (!command.hasOption(key)) command.option(spelling(isShortTaken ? long : definition), "");
  }
  cli.parse(["node", "pipecat-runner", ...argv.map(protect)], { run: false });

  const { "--": rest = [], ...parsed } = cli.options as Readonly<Record<string, unknown>>;
  const known = flags.map(({ definition }) => `${definition.flag}`);
  for (const key of Object.keys(parsed)) {
    if (!command.hasOption(key)) throw unknownFlag(key.length === 1 ? `-${key}` : `--${kebabCase(key)}`, known);
  }
  const words = cli.args.map(unprotect);
  const [surplus] = words.slice(namesBot ? 1 : 0);
  if (surplus !== undefined) {
    throw new RunnerError("OPTION_INVALID", `The argument ${JSON.stringify(surplus)} is one too many.`, {
      fix: "What the bot itself is to get comes after --.",
    });
  }

  const given: Record<string, Record<string, unknown>> = Object.fromEntries(groups.map(({ name }) => [name, {}]));
  for (const { group, option, definition, key } of flags) {
    const raw = parsed[key];
    if (raw === undefined) continue;
    Object.assign(given[group] ?? {}, { [option]: givenValue(definition, [raw].flat().map(unprotect)) });
  }
  return { bot: words[0] as string | undefined, given, cliArgs: { ...convert(groups, given), ...behindDashes(rest) } };
}

/** The given options as their tables convert them, by camelCase flag. */
function convert(groups: readonly FlagGroup[], given: Command["given"]): Record<string, unknown> {
  const entries = groups.flatMap(({ name, table }) => {
    const own = given[name] ?? {};
    const values = resolveOptions(table, { given: own, env: {} });
    return flagsOf(table)
      .filter(([option, { secret }]) => option in own && !secret)
      .map(([option, { flag }]) => [camelCase(`${flag}`), values[option]] as const);
  });
  return Object.fromEntries(entries);
}

function behindDashes(rest: unknown): { readonly "--"?: unknown } {
  return Array.isArray(rest) && rest.length > 0 ? { "--": rest.map(unprotect) } : {};
}

/** No argument of a process can hold this character. */
const mark = "\0";

/**
 * cac turns what looks like a number into one, and so loses the `+` of a phone number, leading zeros and long digits.
 * Marked, it is no number to cac.
 */
function protect(argument: string): string {
  const [, flag = "", value = ""] = argument.match(/^(-[^=]*=?)?(.*)$/s) ?? [];
  const isNumber = !Number.isNaN(Number(value)) && (flag === "" || flag.endsWith("="));
  return isNumber ? `${flag}${mark}${value}` : argument;
}

function unprotect(value: unknown): unknown {
  return typeof value === "string" && value.startsWith(mark) ? value.slice(mark.length) : value;
}

function kebabCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
