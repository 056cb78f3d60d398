import { stripVTControlCharacters } from "node:util";

/** A text of the other side for a terminal: on one line, and without control characters. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/\p{Cc}/gu, " ");
}
