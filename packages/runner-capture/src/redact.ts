import { parseJson } from "@pipecat-ts/runner-core";

/**
 * Replaces the secrets and phone numbers of one call: it learns them from the names of fields, and replaces them wherever they occur
 * later, with texts of the same length. A text that has more of them than it keeps is replaced as a whole.
 */
export interface Redactor {
  /** Text of the wire: JSON, a form, XML, SDP or anything else. */
  text(text: string): string;
  /** Path and query, with the secrets in it. A token of the runner becomes the id of its session. */
  url(url: string, secrets?: readonly string[]): string;
  /** A binary message that may contain JSON. */
  bytes(bytes: Uint8Array): Buffer;
}

/** Shorter values are words, not secrets: replacing them everywhere would damage the text. */
const shortestSecret = 6;
/** In characters. A text with a longer one is replaced as a whole: it would be searched in every later text. */
const longestSecret = 4_096;
const fewestDigits = 7;
/** Secrets and numbers of one call: a caller may send any number, and each is searched in every text. */
const maxLearned = 50;
const secretName = /token|secret|passw|pwd|api.?key|authorization|credential|signature|cookie/i;
const numberName = /(?:^|[_.\-a-z])(?:from|to|caller|called)$|number|phone|msisdn|wa_?id|caller_?id/i;
const number = /^\+?[\d ().-]{7,24}$/;
/** A number with its country code, as E.164 has it; `%2B` in a form. */
const internationalNumber = /(?:\+|%2B)([1-9]\d{6,14})(?!\d)/gi;
/** What makes the id of a session a token of this runner (`createSocketTokens` of the host). */
const tokenEnding = /\.\d{9,12}\.[\w-]{43}(?![\w-])/g;
const icePassword = /(a=ice-pwd:)[^\s\\"]+/g;
const bearer = /(bearer\s+)[^\s"\\]{6,}/gi;

/**
 * `secrets` are values that the runner itself knows, such as its API key. The id of the session is kept: a replay has the same, and
 * without the session it opens nothing.
 */
export function createRedactor(secrets: readonly string[], sessionId: string): Redactor {
  const learned = new Map<string, { readonly pattern: RegExp; replacement(length: number): string }>();
  /** What a transport appends to the session's id: see `HttpRoute.path`. */
  const appendedSecret = new RegExp(`(?<=${escapePattern(sessionId)})\\.[\\w-]{16,}`, "g");
  const withoutTokens = (text: string) => text.replace(tokenEnding, "").replace(appendedSecret, "");
  let isFull = false;
  /** Whether the current text has a secret that is too long to be learned. */
  let hasLongSecret = false;
  for (const secret of secrets) learnSecret(secret);

  function isKnown(value: string): boolean {
    if (learned.has(value)) return true;
    isFull ||= learned.size >= maxLearned + secrets.length;
    return isFull;
  }

  function learnSecret(value: string): void {
    hasLongSecret ||= value.length > longestSecret;
    if (value.length < shortestSecret || value.length > longestSecret || value === sessionId || isKnown(value)) return;
    const inJson = JSON.stringify(value).slice(1, -1);
    const spellings = new Set([value, encodeURIComponent(value.toWellFormed()), inJson, inJson.replaceAll("/", "\\/")]);
    const pattern = new RegExp([...spellings].map(escapePattern).join("|"), "g");
    // A replay sends it instead: these characters are valid in secrets of every kind.
    learned.set(value, { pattern, replacement: (length) => "redacted".padEnd(length, "-").slice(0, length) });
  }

  /** The same number gets the same replacement, in the range that is reserved for fiction. */
  function learnNumber(digits: string): void {
    if (digits.length < fewestDigits || isKnown(digits)) return;
    const ending = String(learned.size + 1);
    learned.set(digits, {
      pattern: new RegExp(`(?<!\\d)${digits}(?!\\d)`, "g"),
      replacement: (length) => "1555010".padEnd(length, "0").slice(0, length - ending.length) + ending,
    });
  }

  function learnField(name: string, value: string): void {
    if (secretName.test(name)) learnSecret(value);
    else if (numberName.test(name) && number.test(value)) learnNumber(value.replace(/\D/g, ""));
  }

  /** `parseJson` bounds depth and size. */
  function learnFrom(value: unknown, name = ""): void {
    if (typeof value === "string" || typeof value === "number") learnField(name, String(value));
    else if (Array.isArray(value)) for (const item of value) learnFrom(item, name);
    else {
      // All of {"credentials": {…}} is secret.
      for (const [key, item] of Object.entries(Object(value))) learnFrom(item, secretName.test(name) ? name : key);
    }
  }

  function learnFromForm(form: string): void {
    for (const [name, value] of new URLSearchParams(form)) learnField(name, value);
  }

  function replaceLearned(text: string): string {
    for (const [, digits = ""] of text.matchAll(internationalNumber)) learnNumber(digits);
    const hidesAll = isFull || hasLongSecret;
    hasLongSecret = false;
    if (hidesAll) return '"redacted"';
    let result = text;
    for (const { pattern, replacement } of learned.values())
      result = result.replace(pattern, (found) => replacement(found.length));
    return result;
  }

  return {
    text(original) {
      const text = withoutTokens(original);
      const { value, fault } = parseJson(text);
      if (fault === undefined) learnFrom(value);
      else if (/^[^\s<>{}]+=/.test(text)) learnFromForm(text);
      return replaceLearned(text).replace(icePassword, "$1redacted").replace(bearer, "$1redacted");
    },
    url(original, secrets = []) {
      for (const secret of secrets) learnSecret(secret);
      const url = withoutTokens(original);
      learnFromForm(url.split("?").slice(1).join("?"));
      return replaceLearned(url);
    },
    bytes(bytes) {
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
      learnFrom(parseJson(text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1)).value);
      return Buffer.from(replaceLearned(text), "latin1");
    },
  };
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}
