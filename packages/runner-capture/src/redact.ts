import { endOfString, gap, gapCode, unescapeJson, unescapePercent, unescapeXml, withoutGaps } from "./escapes.ts";
import { createFieldKinds, type FieldKind, userId } from "./field-names.ts";
import { createPhoneNumbers, fewestDigits } from "./phone-numbers.ts";

/**
 * Replaces the secrets and phone numbers in the texts of one call where they are: by the names of fields in JSON, forms, URLs and XML,
 * also in one another, and by how they are written. What replaces them has the same length, so JSON stays valid, and bytes keep their
 * structure. Never throws.
 */
export interface Redactor {
  /** Text of the wire: JSON, a form, XML, SDP or anything else. A token of the runner becomes the id of its session. */
  text(text: string): string;
  /** Path and query. `secrets` are values in it, which are replaced in later texts too. */
  url(url: string, secrets?: readonly string[]): string;
  /** A binary message that may contain JSON. */
  bytes(bytes: Uint8Array): Buffer;
  /** Whether the call has too many numbers or secrets: further ones are not replaced. */
  readonly isFull: boolean;
}

/** Shorter values are words: searching for them would damage the text. */
const shortestSecret = 6;
/** `jwt=`: a shorter text has nothing to replace. */
const shortestText = 5;
/** Secrets in the URLs of one call. A caller that resumes has one. */
const maxSecrets = 50;
/** JSON in a form in JSON: each of them is a level. */
const maxLevels = 4;
/** What makes the id of a session a token of this runner (`createSocketTokens` of the host). */
const tokenEnding = /\.\d{9,12}\.[\w-]{43}(?![\w-])/g;
const icePassword = /a=ice-pwd:([^\s\\"]+)/g;
const bearer = /bearer[\s\uffff]+([^\s"\\\uffff]{6,})/gi;
const documentBegin = /[{[][\s\uffff]*["{[]/g;
/** What else JSON has outside of strings. */
const punctuation = ":truefalsn";
const [quotation, comma, minus] = [0x22, 0x2c, 0x2d];
const [openList, closeList, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];
const valueEnd = /[\s&"'<>]|\\["']/g;
const longestName = 64;

/** A part of a text, unescaped in place: see `gap`. */
interface Part {
  readonly text: string;
  /** The index of its first character in the whole text. */
  readonly begin: number;
  /** In how many others it is. */
  readonly level: number;
}

/**
 * `secrets` are values that the runner itself knows, such as its API key: they are replaced wherever they occur. The id of the session
 * is kept: a replay has the same, and without the session it opens nothing.
 */
export function createRedactor(secrets: readonly string[], sessionId: string): Redactor {
  const numbers = createPhoneNumbers();
  const kinds = createFieldKinds();
  const known = new Set<string>();
  let maxKnown = Number.POSITIVE_INFINITY;
  /** What a transport appends to the session's id: see `HttpRoute.path`. */
  const appendedSecret = new RegExp(`(?<=${escapePattern(sessionId)})\\.[\\w-]{16,}`, "g");
  let isFull = false;
  for (const secret of secrets) addSecret(secret);
  maxKnown = known.size + maxSecrets;

  function addSecret(secret: string): void {
    // Bytes are searched as latin1.
    for (const value of [secret, Buffer.from(secret).toString("latin1")]) {
      if (value.length < shortestSecret || value === sessionId || known.has(value)) continue;
      if (known.size < maxKnown) known.add(value);
      else isFull = true;
    }
  }

  function redact(text: string, secretsInUrl?: readonly string[]): string {
    const before = numbers.count;
    const result = redactOnce(text, secretsInUrl);
    // A number may be in the text before the field that tells that it is one.
    return numbers.count > before ? redactOnce(text, secretsInUrl) : result;
  }

  function redactOnce(text: string, secretsInUrl: readonly string[] = []): string {
    let bytes: Buffer | undefined;
    let codes: Uint16Array | undefined;
    const hasBearer = /bearer/i.test(text);
    const hasIce = text.includes("a=ice-pwd:");

    function put(index: number, code: number): void {
      if (!codes) {
        bytes = Buffer.from(text, "utf16le");
        codes = new Uint16Array(bytes.buffer, bytes.byteOffset, text.length);
      }
      codes[index] = code;
    }

    /** Replaces a secret, with the whole escapes of its characters. */
    function cover(part: Part, from: number, to: number): void {
      let [begin, end] = [from, to];
      while (part.text[begin - 1] === gap) begin -= 1;
      while (end > begin && part.text[end - 1] === gap) end -= 1;
      const isNumber = /^\d+$/.test(part.text.slice(begin, end)); // It may be a number in JSON.
      for (let at = begin; at < end; at++)
        put(part.begin + at, isNumber ? 0x31 : "redacted".charCodeAt(at - begin) || 0x2d);
    }

    function coverKnown(part: Part): void {
      const hasGaps = part.text.includes(gap);
      const plain = hasGaps ? withoutGaps(part.text) : part.text;
      for (const secret of known) {
        for (let at = plain.indexOf(secret); at >= 0; at = plain.indexOf(secret, at + secret.length)) {
          if (hasGaps) cover(part, indexOf(part.text, at), indexOf(part.text, at + secret.length - 1) + 1);
          else cover(part, at, at + secret.length);
        }
      }
    }

    function isKnownNumber(found: string): boolean {
      if (found.length < shortestSecret) return false;
      for (const secret of known) if (found.includes(secret)) return true;
      return false;
    }

    function coverMatches(part: Part, pattern: RegExp): void {
      for (const { 0: all, 1: secret = all, index } of part.text.matchAll(pattern)) {
        const end = index + all.length;
        cover(part, end - secret.length, end);
      }
    }

    /** The value of a field. */
    function redactValue(part: Part, kind: FieldKind): void {
      const isUser = kind === "user" && userId.test(withoutGaps(part.text));
      if (kind !== "secret" && kind !== "tokens" && !isUser) redactText(part, kind);
      else if (withoutGaps(part.text) !== sessionId) cover(part, 0, part.text.length);
    }

    /** Text with or without JSON. */
    function redactText(part: Part, kind?: FieldKind): void {
      const { text: all, begin } = part;
      if (all.length < shortestText) return;
      const sub = (from: number, to: number): Part => ({ ...part, text: all.slice(from, to), begin: begin + from });
      const first = beginOfString(all);
      if (first >= 0 && part.level < maxLevels) {
        redactString(sub(first + 1, endOfString(all, first)), kind);
        return;
      }
      let done = 0;
      while (part.level < maxLevels) {
        const found = beginOfDocument(all, done);
        if (found < 0) break;
        if (found > done) redactPlain(sub(done, found), kind);
        const { end, isValid } = redactJson(part, found, kind);
        if (!isValid) redactPlain(sub(found, end), kind);
        done = end;
      }
      if (done < all.length) redactPlain(done === 0 ? part : sub(done, all.length), kind);
    }

    /** Replaces in the JSON that begins at `begin`. Returns where it ends. */
    function redactJson(
      part: Part,
      begin: number,
      outer: FieldKind,
    ): { readonly end: number; readonly isValid: boolean } {
      const { text: json } = part;
      const open: { readonly isObject: boolean; readonly kind: FieldKind }[] = [];
      let kind = outer;
      let isValid = true;
      let at = begin;
      for (; at < json.length; at++) {
        const code = json.charCodeAt(at);
        const parent = open.at(-1);
        if (code === quotation) {
          const end = endOfString(json, at);
          const content = { text: json.slice(at + 1, end), begin: part.begin + at + 1, level: part.level };
          at = end;
          if (parent?.isObject && isBeforeColon(json, end + 1)) {
            kind = parent.kind === "secret" ? "secret" : (kinds.of(nameIn(content.text)) ?? parent.kind);
            if (content.text.length >= shortestSecret) redactPlain(content);
          } else redactString(content, kind);
        } else if (code === openObject) {
          kind = kindInside(kind, parent === undefined || parent.isObject);
          open.push({ isObject: true, kind });
        } else if (code === openList) open.push({ isObject: false, kind });
        else if (code === closeObject || code === closeList) {
          isValid &&= open.pop()?.isObject === (code === closeObject);
          kind = open.at(-1)?.kind;
          if (open.length === 0) return { end: at + 1, isValid };
        } else if (code === minus || isDigit(code)) {
          const end = endOfNumber(json, at);
          redactNumber(json.slice(at, end), part.begin + at, kind);
          at = end - 1;
        } else if (code === comma) kind = parent?.kind;
        else isValid &&= isSpace(code) || punctuation.includes(String.fromCharCode(code));
      }
      return { end: at, isValid: false };
    }

    function redactString(part: Part, kind: FieldKind): void {
      const isSecret = kind === "secret" || kind === "tokens";
      const isEscaped = !isSecret && part.text.includes("\\");
      if (isEscaped) coverKnown(part); // It may not be JSON.
      redactValue(isEscaped ? { ...part, text: unescapeJson(part.text), level: part.level + 1 } : part, kind);
    }

    function redactNumber(found: string, begin: number, kind: FieldKind): void {
      const replacement = numbers.replaceJson(found, kind === "phone");
      const made = kind === "secret" || isKnownNumber(found) ? found.replace(/\d/g, "1") : replacement;
      for (let at = 0; made !== undefined && at < made.length; at++) put(begin + at, made.charCodeAt(at));
    }

    /** Text without JSON: numbers, what the runner knows, and `name=value`. */
    function redactPlain(part: Part, kind?: FieldKind): void {
      const isEscaped = part.text.includes("%");
      const plain = isEscaped ? { ...part, text: unescapePercent(part.text) } : part;
      coverKnown(part);
      if (isEscaped) coverKnown(plain);
      if (hasDigits(plain.text))
        numbers.replace(plain.text, kind === "phone", (index, digit) => put(part.begin + index, digit.charCodeAt(0)));
      if (hasBearer) coverMatches(plain, bearer);
      if (hasIce) coverMatches(plain, icePassword);
      if (part.level < maxLevels && part.text.includes("=")) redactPairs(part);
    }

    /** `name=value` of forms, URLs and XML. */
    function redactPairs(part: Part): void {
      const { text: all, level } = part;
      const value = (from: number, to: number, decode: (text: string) => string): Part => ({
        ...{ text: decode(all.slice(from, to)), begin: part.begin + from, level: level + 1 },
      });
      let end = 0;
      let plainUntil = 0;
      /** Of `<Parameter name="body" value="…"/>`. */
      let named: string | undefined;
      let next = 0;
      for (let at = all.indexOf("="); at >= 0; at = all.indexOf("=", next)) {
        next = at + 1;
        const name = nameBefore(all, at);
        if (name === "") continue;
        const quote = quoteAfter(all, at);
        const close = quote < 0 ? -1 : all.indexOf(all[quote] ?? "", quote + 1);
        const begin = (close < 0 ? at : quote) + 1;
        if (close >= 0) {
          const kind = kinds.of(name === "value" && named !== undefined ? named : name);
          named = name === "name" ? withoutGaps(all.slice(begin, close)) : undefined;
          const isEscaped = all.slice(begin, close).includes("&");
          next = begin;
          if ((kind === undefined && !isEscaped) || close === begin) continue;
          redactValue(value(begin, close, isEscaped ? unescapeXml : String), kind);
          next = close + 1;
          continue;
        }
        // The value of `b` in `a=b=c` has the same end.
        const isFirst = end <= at;
        if (isFirst) end = endOfValue(all, begin);
        const kind = kinds.of(name);
        const isShort = kind !== "secret" && kind !== "tokens" && end - begin < shortestText;
        const isEscaped = !isShort && plainUntil < end && /[%+]/.test(all.slice(begin, end));
        if (!isEscaped && !isShort) plainUntil = end;
        const isKnown =
          isFirst && secretsInUrl.length > 0 && secretsInUrl.includes(withoutGaps(unescapeForm(all.slice(begin, end))));
        if (!isEscaped && kind === undefined && !isKnown) continue;
        redactValue(value(begin, end, unescapeForm), isKnown ? "secret" : kind);
        next = Math.max(next, end);
      }
    }

    const whole: Part = { text, begin: 0, level: 0 };
    if (mayHaveToken(text)) {
      coverMatches(whole, tokenEnding);
      coverMatches(whole, appendedSecret);
    }
    redactText(whole);
    return bytes?.toString("utf16le") ?? text;
  }

  function withoutTokens(text: string): string {
    return mayHaveToken(text) ? text.replace(tokenEnding, "").replace(appendedSecret, "") : text;
  }

  return {
    get isFull() {
      return isFull || numbers.areTooMany;
    },
    text: (text) => redact(withoutTokens(text)),
    url(url, secretsInUrl = []) {
      for (const secret of secretsInUrl) addSecret(secret);
      return redact(withoutTokens(url), secretsInUrl);
    },
    bytes(bytes) {
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
      return Buffer.from(redact(text), "latin1");
    },
  };
}

/** Of the values in an object. The objects in the list `tokens` have counts. */
function kindInside(kind: FieldKind, isField: boolean): FieldKind {
  return kind === "secret" || (kind === "tokens" && isField) ? kind : undefined;
}

function beginOfDocument(text: string, from: number): number {
  if (from === 0 && /^[\s\uffff]*[{[]/.test(text)) return text.search(/[{[]/);
  documentBegin.lastIndex = from;
  return documentBegin.exec(text)?.index ?? -1;
}

/** Where the quotation mark is that begins a text which is one JSON string; -1 for other texts. */
function beginOfString(text: string): number {
  let at = 0;
  while (isSpace(text.charCodeAt(at))) at += 1;
  if (text[at] !== '"') return -1;
  let end = endOfString(text, at) + 1;
  while (isSpace(text.charCodeAt(end))) end += 1;
  return end === text.length ? at : -1;
}

function isBeforeColon(json: string, from: number): boolean {
  let at = from;
  while (isSpace(json.charCodeAt(at))) at += 1;
  return json[at] === ":";
}

function nameIn(content: string): string {
  return withoutGaps(content.includes("\\") ? unescapeJson(content) : content);
}

function nameBefore(text: string, end: number): string {
  let begin = end;
  while (begin > 0 && end - begin < longestName && isInName(text.charCodeAt(begin - 1))) begin -= 1;
  return withoutGaps(text.slice(begin, end));
}

/** Letters, digits, and `_` `-` `.` `$` `[` `]`. */
function isInName(code: number): boolean {
  const letter = code | 0x20;
  return (
    (letter >= 0x61 && letter <= 0x7a) ||
    isDigit(code) ||
    code === gapCode ||
    "_-.$[]".includes(String.fromCharCode(code))
  );
}

function endOfNumber(json: string, begin: number): number {
  let end = begin + 1;
  while (isDigit(json.charCodeAt(end)) || "+-.eE".includes(json[end] ?? "x")) end += 1;
  return end;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d) || code === gapCode;
}

/** The index of the quotation mark after an equals sign; -1 for another character. */
function quoteAfter(text: string, equals: number): number {
  let at = equals + 1;
  while (text[at] === gap) at += 1;
  return text[at] === '"' || text[at] === "'" ? at : -1;
}

function endOfValue(text: string, begin: number): number {
  valueEnd.lastIndex = begin;
  return valueEnd.exec(text)?.index ?? text.length;
}

function unescapeForm(text: string): string {
  return unescapePercent(text.replaceAll("+", " "));
}

function hasDigits(text: string): boolean {
  let digits = 0;
  for (let at = 0; at < text.length && digits < fewestDigits; at++) {
    if (isDigit(text.charCodeAt(at))) digits += 1;
  }
  return digits === fewestDigits;
}

/** The index in `text` of the character with the index `plain` in the text without gaps. */
function indexOf(text: string, plain: number): number {
  let count = -1;
  for (let at = 0; at < text.length; at++) {
    if (text[at] !== gap) count += 1;
    if (count === plain) return at;
  }
  return text.length;
}

/** A token is long, and has a dot. */
function mayHaveToken(text: string): boolean {
  return text.length > 16 && text.includes(".");
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}
