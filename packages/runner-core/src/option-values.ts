import type { TSchema } from "typebox";

/** The parts of a JSON Schema that options use. */
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

/** What a text from a flag or a variable means for `schema`; the text itself when it means nothing, so that the check refuses it. */
export function textToValue(text: string, schema: TSchema): unknown {
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

/** What `schema` allows, in words: `a whole number from 0 to 65535`. */
export function describeSchema(schema: TSchema): string {
  const { description, type, minimum, maximum, minLength = 0, items } = schema as ValueSchema;
  if (description !== undefined) return description;
  const literals = literalsOf(schema);
  if (literals) return literals.length === 1 ? String(literals[0]) : `one of ${literals.join(", ")}`;
  if (type === "boolean") return "true or false";
  if (type === "array") {
    const each = items ? describeSchema(items) : "text";
    return each === "text" ? "a list separated by commas" : `a list separated by commas, each part ${each}`;
  }
  if (type !== "integer" && type !== "number") {
    if (minLength === 0) return "text";
    return minLength === 1 ? "text that is not empty" : `text of at least ${minLength} characters`;
  }
  const kind = type === "integer" ? "a whole number" : "a number";
  if (minimum !== undefined && maximum !== undefined) return `${kind} from ${minimum} to ${maximum}`;
  if (minimum !== undefined) return `${kind} of at least ${minimum}`;
  return maximum === undefined ? kind : `${kind} of at most ${maximum}`;
}

/** The values of a schema that lists them. */
function literalsOf(schema: TSchema): readonly unknown[] | undefined {
  const { const: value, enum: values, anyOf = [] } = schema as ValueSchema;
  const literals = values ?? (anyOf.length > 0 ? anyOf.map((member) => member.const) : [value]);
  return literals.every((literal) => literal !== undefined) ? literals : undefined;
}
