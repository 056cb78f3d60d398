import type { IncomingMessage } from "node:http";

/** Values longer than this are not ids, in characters. */
const maxIdLength = 256;
/** How much of a body is searched, in bytes. Offers of browsers have 10,000. */
const maxSearched = 256 * 1024;
/** The same of a form, which costs more. Webhooks of vendors have 2,000. */
const maxForm = 16 * 1024;

/** `{`: JSON, which curl sends as a form unless told otherwise. */
const openBrace = 0x7b;

/** A text in a request that may name a session. */
export interface SessionName {
  readonly text: string;
  /**
   * Whether the text is a session's id by its place in the URL. Elsewhere, only ids that name their worker count: a caller may have
   * chosen the id `start`, and must not get the requests for this path.
   */
  readonly isId: boolean;
}

/** The texts in a request's URL and `Authorization` header that may name its session. */
export function* namesInHead({ url, headers }: Pick<IncomingMessage, "url" | "headers">): Iterable<SessionName> {
  const parsed = parse(url);
  const segments = parsed?.pathname.split("/").slice(1) ?? [];
  for (const [index, segment] of segments.entries()) {
    if (isShort(segment)) yield { text: decoded(segment), isId: index === 1 && segments[0] === "sessions" };
  }
  for (const [name, text] of parsed?.searchParams ?? []) {
    if (isShort(text)) yield { text, isId: name === "session_id" };
  }
  const bearer = /^bearer +(\S+) *$/i.exec(headers.authorization ?? "")?.[1];
  if (bearer !== undefined && isShort(bearer)) yield { text: bearer, isId: false };
}

/** The values of a request's query, such as the id of a phone call. */
export function* valuesOfQuery({ url }: Pick<IncomingMessage, "url">): Iterable<string> {
  for (const value of parse(url)?.searchParams.values() ?? []) if (isShort(value)) yield value;
}

/** The values in a JSON or form body, such as the id of a peer or of a phone call. */
export function* valuesOfBody(body: Buffer, contentType: string | undefined): Iterable<string> {
  if (/^application\/x-www-form-urlencoded\b/i.test(contentType ?? "") && body[0] !== openBrace) {
    const form = new URLSearchParams(body.toString("utf8", 0, maxForm));
    for (const value of form.values()) if (isShort(value)) yield value;
    return;
  }
  const text = body.toString("utf8", 0, maxSearched);
  // Every string of the JSON text, names of fields included: parsing it would take longer, and a worker does that. The expression
  // matches at every quote, so that it never goes back.
  for (const [, value = ""] of text.matchAll(/"((?:[^"\\]|\\.)*)"?/gs)) {
    if (isShort(value)) yield value.replaceAll("\\/", "/");
  }
}

/** Not `new URL(path, base)`: a path like //host would replace the host. */
function parse(url = "/"): URL | null {
  return URL.parse(`http://localhost${url.startsWith("/") ? url : "/"}`);
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
