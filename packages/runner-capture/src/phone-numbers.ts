import { gap } from "./escapes.ts";

export const fewestDigits = 7;
/** E.164 allows 15. A prefix such as 011 comes in addition. */
const mostDigits = 18;
const mostInternationalDigits = 15;
/** Numbers of one call. A fictional number has a part of 5 digits that differs. */
export const maxNumbers = 10_000;

/** Spaces, brackets, dots and dashes, also as the bytes of UTF-8 in latin1. */
const separators = `${gap} \\u00a0\\u00c2\\u00e2\\u0080-\\u0095\\u00af\\u2000-\\u2015\\u202f().\\/-`;
/** Digits with few other characters between them, and an optional plus. */
const digitRun = new RegExp(`(\\+[(${gap}]{0,6})?\\d(?:[${separators}]{0,12}\\d){${fewestDigits - 1},299}`, "g");
const dateOrAddress = /^(?:\d{4}-\d\d-\d\d|\d{1,3}(?:\.\d{1,3}){3}$)/;
const longestWord = 40;
const wordBefore = /^(?:[a-z]*[_-]+)?$/i;
const extension = /^-*(?:(?:x|ext)\d*)?$/i;
/** Seconds and milliseconds of the years 2001 to 2033, as a JSON number. */
const unixTime = /^[12]\d{9}(?:\d{3})?$/;

/** Digits that belong together, with the index of each, and the number of digits before each separator. */
interface Run {
  readonly digits: string;
  readonly indexes: readonly number[];
  readonly groupEnds: readonly number[];
}

/** The fictional numbers of one call: equal numbers get equal ones. */
export interface PhoneNumbers {
  /**
   * Calls `replaceDigit` for each digit of the numbers in a text: those with a plus, those that were seen before, and all if the text
   * is the value of a field for a phone number.
   */
  replace(text: string, isPhone: boolean, replaceDigit: (index: number, digit: string) => void): void;
  /** The replacement of a number in JSON, which has as many digits; `undefined` when it is not a phone number. */
  replaceJson(number: string, isPhone: boolean): string | undefined;
  readonly count: number;
  /** Whether there were more numbers than are kept. Their replacements are not equal then. */
  readonly areTooMany: boolean;
}

export function createPhoneNumbers(): PhoneNumbers {
  const fictional = new Map<string, string>();
  let areTooMany = false;

  /** Of the same length, and with an area code that does not exist. */
  function fictionalOf(digits: string): string {
    const known = fictional.get(digits);
    if (known !== undefined) return known;
    areTooMany ||= fictional.size >= maxNumbers;
    const head = "1555010".slice(0, digits.length - 5);
    const made = head + String(fictional.size + 1).padStart(digits.length - head.length, "0");
    if (!areTooMany) fictional.set(digits, made);
    return made;
  }

  /** How many of the first digits are a number that was seen before, up to the end of a group. */
  function knownLength({ digits, groupEnds }: Run): number {
    let longest = 0;
    for (const end of groupEnds) {
      if (end > mostDigits) break;
      if (end >= fewestDigits && fictional.has(digits.slice(0, end))) longest = end;
    }
    return longest;
  }

  return {
    get count() {
      return fictional.size;
    },
    get areTooMany() {
      return areTooMany;
    },
    replaceJson(number, isPhone) {
      if (number.length < fewestDigits || number.length > mostInternationalDigits || !/^\d+$/.test(number))
        return undefined;
      return fictional.get(number) ?? (isPhone && !unixTime.test(number) ? fictionalOf(number) : undefined);
    },
    replace(text, isPhone, replaceDigit) {
      function put({ digits, indexes }: Run, begin: number, end: number): void {
        const made = fictionalOf(digits.slice(begin, end));
        for (let at = begin; at < end; at++) replaceDigit(indexes[at] ?? 0, made[at - begin] ?? "0");
      }

      digitRun.lastIndex = 0;
      for (let match = digitRun.exec(text); match; match = digitRun.exec(text)) {
        const run = readRun(text, match);
        const isInternational = match[1] !== undefined && run.digits[0] !== "0";
        const isNumber = isInternational || (isPhone && standsAlone(text, match));
        const most = isInternational ? mostInternationalDigits : mostDigits;
        let done = knownLength(run) || (isNumber ? (run.groupEnds.findLast((end) => end <= most) ?? 0) : 0);
        if (done >= fewestDigits) put(run, 0, done);
        for (const end of run.groupEnds) {
          if (end <= done) continue;
          const group = run.digits.slice(done, end);
          const isPart = group.length >= fewestDigits && group.length <= mostDigits;
          if (isPart && ((isPhone && isNumber) || fictional.has(group))) put(run, done, end);
          done = end;
        }
      }
    },
  };
}

/** Not a part of an id such as a UUID, nor a date or an IP address. `agent-` may come before a number, and `x12` after it. */
function standsAlone(text: string, { 0: found, index }: RegExpExecArray): boolean {
  const end = index + found.length;
  const [before = ""] = /[\w-]*$/.exec(text.slice(Math.max(0, index - longestWord), index)) ?? [];
  const [after = ""] = /^[\w-]*/.exec(text.slice(end, end + longestWord)) ?? [];
  return wordBefore.test(before) && extension.test(after) && !dateOrAddress.test(found);
}

function readRun(text: string, match: RegExpExecArray): Run {
  const indexes: number[] = [];
  const groupEnds: number[] = [];
  let digits = "";
  const end = match.index + match[0].length;
  let isGroup = false;
  for (let index = match.index; index < end; index++) {
    const character = text[index] ?? "";
    if (character >= "0" && character <= "9") {
      digits += character;
      indexes.push(index);
      isGroup = true;
    } else if (character !== gap && isGroup) {
      groupEnds.push(digits.length);
      isGroup = false;
    }
  }
  groupEnds.push(digits.length);
  return { digits, indexes, groupEnds };
}
