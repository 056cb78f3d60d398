import type { IncomingMessage } from "node:http";

/** Values longer than this are not ids, in characters. */
const maxIdLength = 256;
/** How much of a body is searched, in characters. Offers of browsers have 10,000, webhooks of vendors 2,000. */
const maxSearched = 256 * 1024;

/**
 * The values in a request's URL and `Authorization` header that may name a session: path segments, query values, and the bearer token.
 * Only a path that the runner serves gives them a meaning, so the values are tried in order, and one that names nothing is skipped.
 */
export function* valuesOfHead({ url = "/", headers }: Pick<IncomingMessage, "url" | "headers">): Iterable<string> {
  const parsed = URL.parse(`http://localhost${url.startsWith("/") ? url : "/"}`);
  if (!parsed) return;
  for (const segment of parsed.pathname.split("/")) if (isShort(segment)) yield decoded(segment);
  for (const value of parsed.searchParams.values()) if (isShort(value)) yield value;
  const bearer = /^bearer +(\S+) *$/i.exec(headers.authorization ?? "")?.[1];
  if (bearer !== undefined && isShort(bearer)) yield bearer;
}

/** The values in a JSON or form body that may name a session, such as the id of a peer or of a phone call. */
export function* valuesOfBody(body: Buffer, contentType: string | undefined): Iterable<string> {
  const text = body.toString("utf8", 0, maxSearched);
  if (/^application\/x-www-form-urlencoded\b/i.test(contentType ?? "") && !text.startsWith("{")) {
    for (const value of new URLSearchParams(text).values()) if (isShort(value)) yield value;
    return;
  }
  // Every string of the JSON text, names of fields included: parsing it would take longer, and a worker does that. The expression
  // matches at every quote, so that it never goes back.
  for (const [, value = ""] of text.matchAll(/"((?:[^"\\]|\\.)*)"?/gs)) {
    if (isShort(value)) yield value.replaceAll("\\/", "/");
  }
}

function isShort(value: string): boolean {
  return value !== "" && value.length <= maxIdLength;
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment; // Not an id: a worker answers what the path means.
  }
}
