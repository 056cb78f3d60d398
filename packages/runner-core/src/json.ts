/** How deep a caller's JSON may be nested. The deepest known message, a page's content in RTVI, has 24 levels. */
export const maxJsonDepth = 128;
/** How many values a caller's JSON may have: RTVI's largest known message has about 2,000. */
export const maxJsonValues = 20_000;

/** The result of `parseJson`. */
export interface ParsedJson {
  /** `undefined` when there is a fault. */
  readonly value: unknown;
  /** Why the text was not parsed, in words. */
  readonly fault: string | undefined;
}

/**
 * Parses JSON of a caller. Rejects a text with more than 128 levels or about 20,000 values before it is parsed: 1 MiB of short
 * objects takes 100 ms to parse, and 1 MiB of text 2 ms. Never throws.
 */
export function parseJson(text: string): ParsedJson {
  const fault = jsonExcess(text);
  if (fault !== undefined) return { value: undefined, fault };
  try {
    return { value: JSON.parse(text), fault: undefined };
  } catch {
    return { value: undefined, fault: "not JSON" };
  }
}

const quote = 0x22;
const comma = 0x2c;
const backslash = 0x5c;
const openList = 0x5b;
const closeList = 0x5d;
const openObject = 0x7b;
const closeObject = 0x7d;

/**
 * Which bound a text of JSON exceeds, in words; `undefined` when none. Counts brackets and commas outside of strings: each value after
 * the first follows one of them.
 */
export function jsonExcess(text: string): string | undefined {
  let depth = 0;
  let values = 1;
  for (let index = 0; index < text.length; index++) {
    switch (text.charCodeAt(index)) {
      case quote:
        index = endOfString(text, index);
        break;
      case openList:
      case openObject:
        depth += 1;
        values += 1;
        if (depth > maxJsonDepth) return `JSON with more than ${maxJsonDepth} levels`;
        break;
      case closeList:
      case closeObject:
        depth -= 1;
        break;
      case comma:
        values += 1;
        break;
    }
    if (values > maxJsonValues) return `JSON with more than ${maxJsonValues} values`;
  }
  return undefined;
}

/** The index of the quotation mark that ends the string which begins at `begin`; the text's length when none does. */
function endOfString(text: string, begin: number): number {
  for (let end = text.indexOf('"', begin + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === backslash) backslashes += 1;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}
