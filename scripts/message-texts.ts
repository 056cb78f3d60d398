import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const root: string = dirname(import.meta.dirname);

/** A text that the command can print, as the source has it. `{name}` stands for a value. */
export interface MessageText {
  /** `error`: of a RunnerError. `log`: an event in the log. `status`: a line of the banner, of `doctor` or of `/status`. */
  readonly kind: "error" | "log" | "status";
  /** The path of the source file from the root of the repository. */
  readonly file: string;
  readonly line: number;
  /** The code of an error, the level of a log line. `undefined`: a value. */
  readonly label: string | undefined;
  /** One text for each branch of the expression. Empty when the text is a value that another place creates. */
  readonly texts: readonly string[];
  readonly fixes: readonly string[];
}

/** Packages whose code does not run in the command. */
const others = /^packages\/(?:runner-testing|create-pipecat-bot)\//;

/** Finds the texts of all errors, log lines and status lines in the source of the command and its transports. */
export function findMessageTexts(): readonly MessageText[] {
  const files = globSync("packages/*/src/**/*.ts", { cwd: root })
    .filter((file) => !/\.test\.ts$|\/test\/|\/generated\//.test(file) && !others.test(file))
    .sort();
  return files.flatMap((file) => scan(file, readFileSync(join(root, file), "utf8")));
}

const starts = /new (?:Runner|RTVI|Daily)Error\(|\b(?:logger|log)\.(debug|info|warn|error)\(|\breason: (?=["`])/g;

/** Finds the texts in one source file. */
export function scan(file: string, source: string): readonly MessageText[] {
  return [...source.matchAll(starts)].map((match) => {
    const at = match.index + match[0].length;
    const place = { file, line: source.slice(0, match.index).split("\n").length };
    const resolve = (expression: string) => textsOf(expression, source, match.index);
    if (match[0].startsWith("reason")) {
      const object = splitList(source, objectStart(source, match.index));
      const fixes = resolve(propertyOf(object, "fix"));
      const texts = resolve(propertyOf(object, "reason")).filter((text) => text.includes(" "));
      return { kind: "status", ...place, label: undefined, texts, fixes };
    }
    const parts = splitList(source, at);
    if (match[1] !== undefined) {
      return { kind: "log", ...place, label: match[1], texts: resolve(parts.at(-1) ?? ""), fixes: [] };
    }
    const [code = "", message = "", options = ""] = parts;
    const fixes = resolve(propertyOf(splitList(options, options.indexOf("{") + 1), "fix"));
    return { kind: "error", ...place, label: /^"(\w+)"$/.exec(code)?.[1], texts: resolve(message), fixes };
  });
}

/** The value of a property in a list of properties; the name itself when it is written once for both. */
function propertyOf(properties: readonly string[], name: string): string {
  for (const property of properties) {
    if (property === name) return name;
    if (property.startsWith(`${name}:`)) return property.slice(name.length + 1).trim();
  }
  return "";
}

/** The position after the `{` that encloses `at`. */
function objectStart(source: string, at: number): number {
  let depth = 0;
  for (let index = at; index > 0; index--) {
    if (source[index] === "}") depth++;
    else if (source[index] === "{" && depth-- === 0) return index + 1;
  }
  return 0;
}

/** The parts of a list that begins at `start`, separated by commas, up to the bracket that ends it. */
function splitList(source: string, start: number): readonly string[] {
  const parts: string[] = [];
  let from = start;
  for (let index = start; index < source.length; index++) {
    const character = source[index] ?? "";
    if (`"'\``.includes(character)) index = stringEnd(source, index);
    else if ("([{".includes(character)) index = listEnd(source, index + 1);
    else if (character === "," || ")]}".includes(character)) {
      parts.push(source.slice(from, index).trim());
      from = index + 1;
      if (character !== ",") break;
    }
  }
  return parts.filter((part) => part !== "");
}

/** The position of the bracket that ends a list. */
function listEnd(source: string, start: number): number {
  for (let index = start; index < source.length; index++) {
    const character = source[index] ?? "";
    if (`"'\``.includes(character)) index = stringEnd(source, index);
    else if ("([{".includes(character)) index = listEnd(source, index + 1);
    else if (")]}".includes(character)) return index;
  }
  return source.length;
}

/** The position of the quote that ends the string at `start`. */
function stringEnd(source: string, start: number): number {
  const quote = source[start];
  for (let index = start + 1; index < source.length; index++) {
    if (source[index] === "\\") index++;
    else if (source[index] === quote) return index;
    else if (quote === "`" && source.startsWith("${", index)) index = listEnd(source, index + 2);
  }
  return source.length;
}

/**
 * The texts of an expression: its strings, or those of what it names: a constant, a function of this file, or the argument of all
 * calls of the function that it is in.
 */
function textsOf(expression: string, source: string, before: number, depth = 0): readonly string[] {
  const own = stringsOf(expression);
  if (own.length > 0 || depth === 3) return own;
  const [, name = "", called] = /^(?:await )?(\w+)(\()?/.exec(expression) ?? [];
  if (name === "") return [];
  if (called !== undefined) {
    const at = source.search(new RegExp(`function ${name}\\b`));
    return at < 0 ? [] : stringsOf(source.slice(at, source.indexOf("\n}", at)));
  }
  // The outermost function or statement that contains the expression.
  const start = [...source.slice(0, before).matchAll(/^[^\s})\]]/gm)].at(-1)?.index ?? 0;
  const declarations = [
    ...source.matchAll(
      new RegExp(`^( *)(?:export )?(?:const|let) (?:${name}|\\[.*\\b${name}\\b.*\\])(?:: [^=]+)? =\\s`, "gm"),
    ),
  ];
  const isVisible = ({ index, 1: indent }: RegExpExecArray) => indent === "" || (index >= start && index < before);
  const nearest =
    declarations.filter(isVisible).findLast(({ index }) => index < before || index < start) ??
    declarations.find(({ 1: indent }) => indent === "");
  if (nearest !== undefined) {
    const from = nearest.index + nearest[0].length;
    return textsOf(source.slice(from, source.indexOf(";\n", from)).trim(), source, nearest.index, depth + 1);
  }
  const caller = [...source.slice(0, before).matchAll(/function (\w+)\(/g)].at(-1);
  if (caller === undefined) return [];
  const position = splitList(source, caller.index + caller[0].length).findIndex((each) =>
    new RegExp(`^${name}\\b`).test(each),
  );
  if (position < 0) return [];
  const calls = [...source.matchAll(new RegExp(`(?<!function |\\.)\\b${caller[1]}\\(`, "g"))];
  return calls.flatMap(({ index, 0: text }) => {
    const argument = splitList(source, index + text.length)[position] ?? "";
    return textsOf(argument, source, index, depth + 1);
  });
}

/** The strings of an expression that have several words, or all of them when it is one string. */
function stringsOf(expression: string): readonly string[] {
  const texts: string[] = [];
  for (let index = 0; index < expression.length; index++) {
    if (!`"'\``.includes(expression[index] ?? "")) continue;
    const end = stringEnd(expression, index);
    const isWhole = index === 0 && end === expression.length - 1;
    const text = readable(expression.slice(index + 1, end));
    if (isWhole || /\S \S/.test(text)) texts.push(text);
    index = end;
  }
  return texts;
}

/** `${shownPath(file)}` becomes `{file}`. */
function readable(text: string): string {
  return text
    .replaceAll(/\$\{((?:[^{}]|\{[^{}]*\})*)\}/g, (_, value: string) => `{${/(\w+)\W*$/.exec(value)?.[1] ?? "value"}}`)
    .replaceAll(/\\u00a0/g, " ")
    .replaceAll(/\\(["'`\\])/g, "$1");
}

/** The texts as Markdown: errors by code, then log lines, then status lines. */
export function messageTextsPage(all: readonly MessageText[]): string {
  const rows = (kind: MessageText["kind"], label: (each: MessageText) => string) => {
    const shown = all
      .filter((each) => each.kind === kind && each.texts.length > 0)
      .map((each) =>
        [label(each), each.texts.join(" / "), each.fixes.join(" / ")].map((cell) => cell.replaceAll("|", "\\|")),
      );
    return [...new Set(shown.map((cells) => `| ${cells.join(" | ")} |`))].sort().join("\n");
  };
  const packageOf = ({ file }: MessageText) => file.split("/")[1] ?? "";
  return `## All errors

${"`{name}`"} stands for a value; / separates alternatives.

| code | message | fix |
|---|---|---|
${rows("error", ({ label = "(that of the cause)" }) => label)}

## All log lines

| level | event | |
|---|---|---|
${rows("log", ({ label = "" }) => label)}

## All reasons why a transport or a check is not ready

| package | reason | fix |
|---|---|---|
${rows("status", packageOf)}
`;
}
