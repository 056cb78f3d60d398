import { inspect } from "node:util";
import type { TSchema } from "typebox";
import { Check } from "typebox/value";
import { RunnerError } from "./errors.ts";
import { describeSchema, textToValue } from "./option-values.ts";

/** One setting: how it is given, what it may be, what it means. */
export interface OptionDefinition<Value = unknown> {
  /** Its flag, without the dashes: `max-sessions`. */
  readonly flag?: string;
  /** A one-letter flag, without the dash. */
  readonly short?: string;
  /** Its environment variable, or several: the first that is set counts. An empty one counts as not set. */
  readonly env?: string | readonly string[];
  /** What it is when nobody gives it. */
  readonly default?: Value;
  /** One line for `--help`. */
  readonly description: string;
  /**
   * What it may be: a string, number, integer, boolean, a union of literals or an enum, or an array of these. Text from
   * flags and variables is converted first: `"7860"` to a number, `"yes"` to a boolean, `"a, b"` to a list. Errors say in
   * words what is allowed by `minimum`, `maximum`, `minLength` and literals, or by the schema's own `description`; other
   * limits are checked but not described.
   */
  readonly schema: TSchema;
  /** Converts the text of a flag or variable where the schema alone does not say how. May throw: then the text is refused. */
  readonly parse?: (text: string) => unknown;
  /** How `--help` names the value: `hostname`. Not for booleans. */
  readonly placeholder?: string;
  /** Never printed, not even in an error about it. */
  readonly secret?: boolean;
}

/** The settings of a runner or a transport, by the name its code uses. */
export type OptionTable<Options> = { readonly [Name in keyof Options]-?: OptionDefinition<NonNullable<Options[Name]>> };

/** Where settings come from. */
export interface OptionSources {
  /** What was given by flag or in code, by option name; `undefined` counts as not given. */
  readonly given?: Readonly<Record<string, unknown>>;
  /** Default: the process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Settles every option of a table: what was given, else its environment variable, else its default, else `undefined`.
 * Throws OPTION_INVALID, which names the flag and the variable, what was given, and what is allowed.
 */
export function resolveOptions<Options>(table: OptionTable<Options>, sources: OptionSources = {}): Options {
  const { given = {}, env = process.env } = sources;
  const definitions = Object.entries<OptionDefinition>(table);
  return Object.fromEntries(
    definitions.map(([name, definition]) => [name, resolveOption(name, definition, given[name], env)]),
  ) as Options;
}

function resolveOption(
  name: string,
  definition: OptionDefinition,
  given: unknown,
  env: Readonly<Record<string, string | undefined>>,
): unknown {
  const variable = [definition.env ?? []].flat().find((key) => env[key]);
  const raw = given === undefined && variable !== undefined ? env[variable] : given;
  if (raw === undefined) return definition.default;
  const value = typeof raw === "string" ? convert(raw, definition) : raw;
  if (Check(definition.schema, value)) return value;

  const origin = given === undefined ? variable : flagOf(definition);
  throw invalidOption(origin ?? name, definition, raw);
}

function convert(text: string, { parse, schema }: OptionDefinition): unknown {
  if (!parse) return textToValue(text, schema);
  try {
    return parse(text);
  } catch {
    return undefined; // which no schema of an option allows, so that it is refused in the same words as any other
  }
}

function invalidOption(origin: string, definition: OptionDefinition, raw: unknown): RunnerError {
  const others = labelsOf(definition).filter((label) => label !== origin);
  const source = others.length === 0 ? origin : `${origin} (or ${others.join(", ")})`;
  const shown = definition.secret ? "a value that is not shown" : typeof raw === "string" ? `"${raw}"` : inspect(raw);
  const allowed = describeSchema(definition.schema);
  return new RunnerError("OPTION_INVALID", `${source} is ${shown}; it must be ${allowed}.`, {
    fix: `Give ${allowed}, or leave it out.`,
  });
}

/** How a person gives this option: `--port or PORT`. */
export function optionLabel(name: string, definition: OptionDefinition): string {
  return labelsOf(definition).join(" or ") || name;
}

function labelsOf(definition: OptionDefinition): readonly string[] {
  return [flagOf(definition) ?? [], definition.env ?? []].flat();
}

function flagOf({ flag }: OptionDefinition): string | undefined {
  return flag === undefined ? undefined : `--${flag}`;
}
