import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";

/** An error for the developer of a bot. */
export interface ExplainedError {
  /** One line: the place in the developer's own code where it is known, and the message. */
  readonly summary: string;
  readonly fix: string | undefined;
}

/** Longer messages, such as a vendor's HTML page, are cut. In characters. */
const maxMessage = 500;

/** Explains anything that was thrown, or an error that pino has serialized. */
export function explainError(error: unknown): ExplainedError {
  if (typeof error !== "object" || error === null) return { summary: oneLine(`${error}`), fix: undefined };
  const { name, type = name, message, code, stack, fix } = error as Readonly<Record<string, unknown>>;
  const isOurs = typeof fix === "string" || type === "RunnerError";
  const [place] = typeof stack === "string" ? placesIn(stack) : [];
  const what = oneLine([...(isOurs ? [] : [type]), message || code].filter(Boolean).join(": "));
  const own = place === undefined || isOurs ? what : `${place}: ${what}`;
  const advice = isOurs || place === undefined ? fix : "Correct that line.";
  return { summary: own, fix: typeof advice === "string" ? advice : undefined };
}

/** The lines of a stack that are in the developer's own code, the innermost first: `bot.ts:12`. */
export function placesIn(stack: string): readonly string[] {
  // Packages of the runner are in node_modules, except in its own repository.
  const runner = new URL("../../", import.meta.url).pathname;
  return stack.split("\n").flatMap((line) => {
    const [, url, number] = line.match(/^\s+at (?:.*\()?((?:file:\/\/)?\/.+?):(\d+):\d+\)?$/) ?? [];
    if (url === undefined || url.includes("/node_modules/") || url.replace("file://", "").startsWith(runner)) return [];
    const path = url.startsWith("file:") ? fileURLToPath(url) : url;
    const fromHere = relative(process.cwd(), path);
    return [`${fromHere.length < path.length ? fromHere : path}:${number}`];
  });
}

function oneLine(text: string): string {
  const [line = ""] = stripVTControlCharacters(text)
    .trim()
    .split(/[\r\n]/);
  return line.length > maxMessage ? `${line.slice(0, maxMessage)}…` : line;
}
