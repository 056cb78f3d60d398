/** A JSON object as it came: any field may be missing, or be anything. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Ids and numbers of carriers have some 80 characters; nothing that is longer is one. */
const longestText = 512;

/** The JSON object in a text; `undefined` when it holds anything else. */
export function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined; // whoever reads the line counts it
  }
}

/** The object in a field; an empty one when there is none. */
export function objectIn(parent: JsonObject, key: string): JsonObject {
  const value = parent[key];
  return isObject(value) ? value : {};
}

/**
 * The text in a field, which may also be a number; `undefined` when it is empty, over 512 characters, or no text, which half
 * a character is not: it cannot be sent on, in a URL for one.
 */
export function textIn(parent: JsonObject, key: string): string | undefined {
  const value = parent[key];
  if (typeof value === "number") return String(value);
  const isText = typeof value === "string" && value !== "" && value.length <= longestText && value.isWellFormed();
  return isText ? value : undefined;
}

/** The number in a field, which may also be a text; `undefined` when it is none, or not finite. */
export function numberIn(parent: JsonObject, key: string): number | undefined {
  const value = parent[key];
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : undefined;
}

/** The bytes in a field of base64; `undefined` when there are none, or it is something else. */
export function bytesIn(parent: JsonObject, key: string): Buffer | undefined {
  const value = parent[key];
  if (typeof value !== "string" || value === "") return undefined;
  const bytes = Buffer.from(value, "base64");
  // Node skips what is no base64, so that its result is too short.
  const padding = value.endsWith("==") ? 2 : value.endsWith("=") ? 1 : 0;
  return bytes.length > 0 && bytes.length === Math.floor(((value.length - padding) * 3) / 4) ? bytes : undefined;
}

/** The texts in an object of them, such as a call's custom parameters; `undefined` when there are none. */
export function textsIn(parent: JsonObject, key: string): Readonly<Record<string, string>> | undefined {
  const texts = Object.entries(objectIn(parent, key)).filter((entry): entry is [string, string] => {
    return typeof entry[1] === "string";
  });
  return texts.length === 0 ? undefined : Object.fromEntries(texts);
}

/** An object without its fields that are `undefined`, so that spreading it over another overrides nothing by nothing. */
export function present<Fields extends object>(
  fields: Fields,
): { [Key in keyof Fields]?: Exclude<Fields[Key], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
