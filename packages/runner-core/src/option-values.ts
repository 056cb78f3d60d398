import type { TSchema } from "typebox";

/** The parts of a JSON Schema that options use. */
interface ValueSchema {
  readonly type?: string;
  readonly minimum?: number;
  readonly maximum?: number;
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
  const { type } = schema as ValueSchema;
  if (type === "integer" || type === "number") return text.trim() === "" ? text : Number(text);
  if (type === "boolean") return truths[text.trim().toLowerCase()] ?? text;
  if (type !== "array") return text;
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

/** What `schema` allows, in words: `a whole number from 0 to 65535`. */
export function describeSchema(schema: TSchema): string {
  const { type, minimum, maximum, anyOf, enum: values } = schema as ValueSchema;
  const literals = values ?? anyOf?.map((member) => member.const);
  if (literals?.every((literal) => literal !== undefined)) return `one of ${literals.join(", ")}`;
  if (type === "boolean") return "true or false";
  if (type === "array") return "a list separated by commas";
  if (type !== "integer" && type !== "number") return "text";
  const kind = type === "integer" ? "a whole number" : "a number";
  if (minimum !== undefined && maximum !== undefined) return `${kind} from ${minimum} to ${maximum}`;
  if (minimum !== undefined) return `${kind} of at least ${minimum}`;
  return maximum === undefined ? kind : `${kind} of at most ${maximum}`;
}
