import { parseJson } from "@pipecat-ts/runner-core";

/** A JSON object as received: any field may be missing or have any type. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Longest accepted text, in characters. Ids and numbers of carriers have about 80. */
export const maxTextLength = 512;
/** Most entries of an object of texts. Exotel allows 3 custom parameters; the others document no number. */
const maxTexts = 64;
/** Longest text in such an object, in characters. Twilio allows 500 for a name and its value. */
const maxParameterLength = 4_096;

/** The JSON object in a text; `undefined` for anything else. */
export function parseObject(text: string): JsonObject | undefined {
  const { value } = parseJson(text);
  return isObject(value) ? value : undefined;
}

/** The object in a field; an empty object when there is none. */
export function objectIn(parent: JsonObject, key: string): JsonObject {
  const value = parent[key];
  return isObject(value) ? value : {};
}

/**
 * The text in a field, which may also be a number. `undefined` when it is empty, longer than `maxLength` characters, or contains
 * a lone surrogate, which no URL can carry.
 */
export function textIn(parent: JsonObject, key: string, maxLength: number = maxTextLength): string | undefined {
  const value = parent[key];
  if (typeof value === "number") return String(value);
  const isText = typeof value === "string" && value !== "" && value.length <= maxLength && value.isWellFormed();
  return isText ? value : undefined;
}

/** The finite number in a field, which may also be a text; otherwise `undefined`. */
export function numberIn(parent: JsonObject, key: string): number | undefined {
  const value = parent[key];
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : undefined;
}

/** The bytes in a base64 field; `undefined` when it is empty or not base64. */
export function bytesIn(parent: JsonObject, key: string): Buffer | undefined {
  const value = parent[key];
  if (typeof value !== "string" || value === "") return undefined;
  const bytes = Buffer.from(value, "base64");
  // Node skips characters that are not base64, which makes the result shorter.
  const padding = value.endsWith("==") ? 2 : value.endsWith("=") ? 1 : 0;
  return bytes.length > 0 && bytes.length === Math.floor(((value.length - padding) * 3) / 4) ? bytes : undefined;
}

/**
 * The text fields of an object in a field, such as custom parameters: the first 64, of at most 4,096 characters each.
 * `undefined` when there are none.
 */
export function textsIn(parent: JsonObject, key: string): Readonly<Record<string, string>> | undefined {
  const texts = Object.entries(objectIn(parent, key)).filter((entry): entry is [string, string] => {
    const [name, value] = entry;
    return typeof value === "string" && value.length <= maxParameterLength && name.length <= maxTextLength;
  });
  return texts.length === 0 ? undefined : Object.fromEntries(texts.slice(0, maxTexts));
}

/** The object without its `undefined` fields, so that spreading it over another object keeps that object's values. */
export function present<Fields extends object>(
  fields: Fields,
): { [Key in keyof Fields]?: Exclude<Fields[Key], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
