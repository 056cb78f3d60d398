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
