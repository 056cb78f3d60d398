import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The rows of the tables in `docs/parity.md`. */
const rows: readonly string[] = readFileSync(new URL("../../docs/parity.md", import.meta.url), "utf8")
  .split("\n")
  .filter((line) => line.startsWith("|"));

/** Whether a row has this text. */
export function hasRow(text: string): boolean {
  return rows.some((row) => row.includes(text));
}

/** The rows with something of Python's that has nothing here, and no reason. */
export function rowsWithoutReason(): readonly string[] {
  return rows.filter((row) => {
    const [, python = "", here = ""] = row.split(/(?<!\\)\|/).map((cell) => cell.trim());
    const isGap = /^(?:–|missing|not supported)/.test(here) && python !== "–" && !/^-+$/.test(python);
    return isGap && !/\*\*Different:\*\* \S|missing: \S/.test(here);
  });
}

/** The names that no row has as code, alone or with a value. `*` in a row stands for the rest of a name: `--moq-*`. */
export function missingNames(names: readonly string[]): readonly string[] {
  const words = rows.flatMap((row) => row.match(/[\w*{}/.-]+/g) ?? []);
  // `{dailyRoom, dailyToken}`, `WebSocketRunnerArguments.websocket`
  const known = new Set(words.flatMap((word) => [word, ...word.split(/[{}.]/)]));
  const families = [...known].filter((name) => name.endsWith("*")).map((name) => name.slice(0, -1));
  return names.filter((name) => !known.has(name) && !families.some((family) => family && name.startsWith(family)));
}

/**
 * The flags, environment variables, routes, response fields and bot arguments in the source of Pipecat's runner, a folder with Python
 * modules. Of transports that are not part of this project, only the class of the arguments.
 */
export function namesInSource(folder: string): readonly string[] {
  const code = globSync("*.py", { cwd: folder })
    .map((file) => readFileSync(join(folder, file), "utf8"))
    .join("\n")
    .replaceAll(/"""[\s\S]*?"""/g, "");
  const find = (pattern: RegExp, text = code): string[] => Array.from(text.matchAll(pattern), ([, name = ""]) => name);
  const flags = find(/add_argument\([^)]*?"(--[a-z0-9-]+)"/g);
  const variables = find(/(?:getenv|environ(?:\.get)?)[([]\s*"([A-Z_]+)"/g);
  const routes = find(/@app\.\w+\(\s*"([^"]+)"/g).map((route) =>
    route.replace("{session_id}", "{id}").replace(/\{\w+:path\}/, "{path}"),
  );
  const returned = find(/return \{\n?([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}/g).flatMap((fields) => find(/"(\w+)":/g, fields));
  const classes = code.matchAll(
    /^( *)class (\w+)\((?:TypedDict|BaseModel|\w+Arguments|CallData)[^)]*\):\n((?:\1 {4}.*\n|\n)*)/gm,
  );
  const fields = [...classes, ...code.matchAll(/^()class (RunnerArguments):\n((?: {4}.*\n|\n)*)/gm)].flatMap(
    ([, indent = "", name = "", body = ""]) =>
      /^(?:Vonage|MOQ|Eval)/.test(name) ? [name] : find(new RegExp(`^${indent}    (\\w+): `, "gm"), body),
  );
  return [...new Set([...flags, ...variables, ...routes, ...returned, ...fields])];
}
