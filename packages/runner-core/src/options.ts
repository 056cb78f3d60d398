import { inspect } from "node:util";
import type { TSchema } from "typebox";
import { Check } from "typebox/value";
import { RunnerError } from "./errors.ts";

/** One setting: its flag, its environment variable, its schema and its meaning. */
export interface OptionDefinition<Value = unknown> {
  /** The flag, without dashes: `max-sessions`. */
  readonly flag?: string | undefined;
  /** A one-letter flag, without the dash. */
  readonly short?: string | undefined;
  /** The environment variable, or several: the first one that is set counts. An empty variable counts as not set. */
  readonly env?: string | readonly string[] | undefined;
  /** The value when neither flag nor variable is set. */
  readonly default?: Value | undefined;
  /** One line for `--help`. */
  readonly description: string;
  /**
   * Allowed values: a string, number, integer, boolean, a union of literals or an enum, or an array of these. Text from
   * flags and variables is converted first: `"7860"` to a number, `"yes"` to a boolean, `"a, b"` to a list. Errors describe
   * `minimum`, `maximum`, `minLength` and literals, or quote the schema's `description`; other limits are checked but not
   * described.
   */
  readonly schema: TSchema;
  /** Converts the text of a flag or variable when the schema alone cannot. May throw: the text is then rejected. */
  readonly parse?: ((text: string) => unknown) | undefined;
  /** The name of the value in `--help`: `hostname`. Not for booleans. */
  readonly placeholder?: string | undefined;
  /** Whether the value is secret. It is then never printed, not even in errors. */
  readonly secret?: boolean | undefined;
  /** For the options of a bot: whether calls fail without a value. The command starts all the same, and names the option. */
  readonly required?: boolean | undefined;
}

/** The settings of a runner or a transport, by property name. */
export type OptionTable<Options> = { readonly [Name in keyof Options]-?: OptionDefinition<NonNullable<Options[Name]>> };

/** Where the values of settings come from. */
export interface OptionSources {
  /** Values from flags or code, by option name; `undefined` counts as not given. */
  readonly given?: Readonly<Record<string, unknown>> | undefined;
  /** Default: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Resolves every option of a table: the given value, else its environment variable, else its default, else `undefined`.
 * Throws OPTION_INVALID, which names the flag and the variable, the rejected value and the allowed values.
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
    return undefined; // Fails the schema check, so that the error has the usual form.
  }
}

function invalidOption(origin: string, definition: OptionDefinition, raw: unknown): RunnerError {
  const others = labelsOf(definition).filter((label) => label !== origin);
  const source = others.length === 0 ? origin : `${origin} (or ${others.join(", ")})`;
  const shown = typeof raw === "string" ? `"${raw}"` : inspect(raw);
  const message = definition.secret ? `${source}: the value is not valid.` : `${source} cannot be ${shown}.`;
  return new RunnerError("OPTION_INVALID", message, {
    fix: `Use ${describeSchema(definition.schema)}.`,
  });
}

/** How a person sets this option: `--port or PORT`. */
export function optionLabel(name: string, definition: OptionDefinition): string {
  return labelsOf(definition).join(" or ") || name;
}

function labelsOf(definition: OptionDefinition): readonly string[] {
  return [flagOf(definition) ?? [], definition.env ?? []].flat();
}

function flagOf({ flag }: OptionDefinition): string | undefined {
  return flag === undefined ? undefined : `--${flag}`;
}

/** The keywords of JSON Schema that options use. */
interface ValueSchema {
  readonly description?: string;
  readonly type?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly items?: TSchema;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly ValueSchema[];
}

const truths: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  1: true,
  false: false,
  no: false,
  off: false,
  0: false,
};

/** Converts the text of a flag or a variable for `schema`; returns the text unchanged when it cannot, so that the check rejects it. */
function textToValue(text: string, schema: TSchema): unknown {
  const { type, items } = schema as ValueSchema;
  const literals = literalsOf(schema);
  if (literals) return literals.find((literal) => String(literal) === text) ?? text;
  if (type === "integer" || type === "number") return text.trim() === "" ? text : Number(text);
  if (type === "boolean") return truths[text.trim().toLowerCase()] ?? text;
  if (type !== "array") return text;
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map((part) => (items ? textToValue(part, items) : part));
}

/** Describes the values that `schema` allows: `a whole number from 0 to 65535`. */
function describeSchema(schema: TSchema): string {
  const { description, type, minimum, maximum, minLength = 0, items } = schema as ValueSchema;
  if (description !== undefined) return description;
  const literals = literalsOf(schema);
  if (literals) return literals.length === 1 ? String(literals[0]) : `one of ${literals.join(", ")}`;
  if (type === "boolean") return "true or false";
  if (type === "array") {
    const each = items ? describeSchema(items) : "a text";
    return each === "a text" ? "a comma-separated list" : `a comma-separated list, each item ${each}`;
  }
  if (type !== "integer" && type !== "number") {
    if (minLength === 0) return "a text";
    return minLength === 1 ? "a non-empty text" : `a text of at least ${minLength} characters`;
  }
  const kind = type === "integer" ? "a whole number" : "a number";
  if (minimum !== undefined && maximum !== undefined) return `${kind} from ${minimum} to ${maximum}`;
  if (minimum !== undefined) return `${kind} of at least ${minimum}`;
  return maximum === undefined ? kind : `${kind} of at most ${maximum}`;
}

/** The values of a schema that enumerates them. */
function literalsOf(schema: TSchema): readonly unknown[] | undefined {
  const { const: value, enum: values, anyOf = [] } = schema as ValueSchema;
  const literals = values ?? (anyOf.length > 0 ? anyOf.map((member) => member.const) : [value]);
  return literals.every((literal) => literal !== undefined) ? literals : undefined;
}
