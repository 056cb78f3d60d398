import { present } from "./json.ts";

/** What is taken of a body in a URL, in characters. URLs of more are cut somewhere on their way. */
const longestBody = 16_384;

/**
 * What `?body=` of a URL says: base64 or base64url of JSON, as Pipecat's examples put it there. `undefined` when there is
 * none, or it is something else.
 */
export function bodyInQuery(encoded: string | null | undefined): unknown {
  if (!encoded || encoded.length > longestBody) return undefined;
  // Who did not escape base64's plus has it arrive as a space.
  const text = Buffer.from(encoded.replaceAll(" ", "+"), "base64").toString("utf8");
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // somebody else's parameter
  }
}

/**
 * The numbers that a hand-written document put into its socket's URL, as `from_number` and `to_number`, or `from` and
 * `to`, for carriers that tell neither.
 */
export function numbersInQuery(query: URLSearchParams): { readonly from?: string; readonly to?: string } {
  const read = (name: string) => {
    const value = query.get(`${name}_number`) ?? query.get(name);
    // A plus that was not escaped arrives as a space.
    return value ? value.replace(/^ /, "+") : undefined;
  };
  return present({ from: read("from"), to: read("to") });
}
