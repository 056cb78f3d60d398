/**
 * Unescapes text in place: each character stays at the index where its escape ends, and this character fills the rest. So what is
 * found in unescaped text has the same index in the original. A digit is the last character of its escape too: `\u0031`, `%31`.
 */
export const gap = "\uffff";
export const gapCode = 0xffff;
const gaps = /\uffff/g;

export function withoutGaps(text: string): string {
  return text.includes(gap) ? text.replace(gaps, "") : text;
}

const backslash = 0x5c;
const controls: Readonly<Record<number, number>> = { 98: 8, 102: 12, 110: 10, 114: 13, 116: 9 };
const letterU = 0x75;

export function unescapeJson(text: string): string {
  return replaceEscapes(text, backslash, (codes, at) => {
    const second = nextIndex(codes, at);
    const code = codes[second];
    if (code === letterU) return readHex(codes, second, 4);
    if (code === undefined) return undefined;
    return { end: second, code: controls[code] ?? code };
  });
}

const percent = 0x25;

/** Each byte becomes a character. */
export function unescapePercent(text: string): string {
  return replaceEscapes(text, percent, (codes, at) => readHex(codes, at, 2));
}

type Escape = { readonly end: number; readonly code: number } | undefined;

/** A loop instead of a regular expression: a text may consist of escapes. */
function replaceEscapes(text: string, mark: number, read: (codes: Uint16Array, at: number) => Escape): string {
  const first = text.indexOf(String.fromCharCode(mark));
  if (first < 0) return text;
  const bytes = Buffer.from(text, "utf16le");
  const codes = new Uint16Array(bytes.buffer, bytes.byteOffset, text.length);
  for (let at = first; at < codes.length; at++) {
    if (codes[at] !== mark) continue;
    const found = read(codes, at);
    if (!found) continue;
    codes.fill(gapCode, at, found.end);
    codes[found.end] = found.code;
    at = found.end;
  }
  return bytes.toString("utf16le");
}

function nextIndex(codes: Uint16Array, at: number): number {
  let next = at + 1;
  while (codes[next] === gapCode) next += 1;
  return next;
}

/** The hexadecimal digits after `at`. */
function readHex(codes: Uint16Array, at: number, digits: number): Escape {
  let end = at;
  let code = 0;
  for (let count = 0; count < digits; count++) {
    end = nextIndex(codes, end);
    const digit = hexValue(codes[end] ?? 0);
    if (digit < 0) return undefined;
    code = code * 16 + digit;
  }
  return { end, code };
}

function hexValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

const xmlEscape = /&(?:quot|apos|amp|lt|gt|#(?:34|39|38|60|62|43|x2b|x22|x27));/gi;
const entities: Readonly<Record<string, string>> = {
  ...{ quot: '"', apos: "'", amp: "&", lt: "<", gt: ">" },
  ...{ "#34": '"', "#39": "'", "#38": "&", "#60": "<", "#62": ">", "#43": "+", "#x2b": "+", "#x22": '"', "#x27": "'" },
};

export function unescapeXml(text: string): string {
  return text.replace(xmlEscape, (found) =>
    (entities[found.slice(1, -1).toLowerCase()] ?? gap).padStart(found.length, gap),
  );
}

/** The index of the quotation mark that ends the JSON string which begins at `begin`; the text's length when none does. */
export function endOfString(text: string, begin: number): number {
  for (let end = text.indexOf('"', begin + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    for (let at = end - 1; at > begin; at--) {
      if (text[at] === "\\") backslashes += 1;
      else if (text[at] !== gap) break;
    }
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}
