import { globSync } from "node:fs";
import { expect, test } from "vitest";
import { apiModules } from "./api.ts";
import { codeBlocks, readText, root, sourceOf, withoutCode } from "./markdown.ts";
import { pages } from "./pages.ts";

const sources = globSync("{packages,apps}/*/src/**/*.{ts,tsx}", {
  cwd: root,
  exclude: (path) => path.endsWith("node_modules"),
})
  .filter((file) => !/\.test\.|\/test\/|\/generated\//.test(file))
  .map(readText);

const withoutIndent = (text: string) => text.replace(/^ +/gm, "").trim();

test("code blocks with the path of a file are in that file", () => {
  const excerpts = pages.flatMap(({ file }) =>
    codeBlocks(readText(file)).map(({ code, line }) => ({ place: `${file}:${line}`, code, source: sourceOf(code) })),
  );
  const missing = excerpts.filter(({ code, source }) => {
    if (source === undefined) return false;
    const [, ...lines] = code.split("\n");
    return !withoutIndent(readText(source)).includes(withoutIndent(lines.join("\n")));
  });
  expect(excerpts.filter(({ source }) => source !== undefined).length).toBeGreaterThan(10);
  expect(missing.map(({ place }) => place)).toEqual([]);
});

/** The first cells of all tables of a page whose header is one of `headers`. */
function firstCells(markdown: string, headers: readonly string[]): readonly string[] {
  let inTable = false;
  return markdown.split("\n").flatMap((line) => {
    const [, cell] = line.match(/^\| (.*?) \|/) ?? [];
    if (cell === undefined) inTable = /^\|-/.test(line) && inTable;
    else if (headers.includes(cell)) inTable = true;
    else if (inTable) return [cell];
    return [];
  });
}

test("the texts by which troubleshooting finds a fault are those of the source", () => {
  const cells = firstCells(readText("docs/troubleshooting.md"), ["you see", "detail", "code"]);
  const quotes = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, quote = ""]) => quote));
  expect(quotes.length).toBeGreaterThan(40);
  const isInSource = (part: string) => sources.some((source) => source.includes(part));
  const unknown = quotes.filter((quote) => {
    const parts = quote.split("…").map((part) => part.trim());
    return !parts.every(isInSource);
  });
  expect(unknown).toEqual([]);
});

test("every error code of the packages is explained", () => {
  const explained = [
    readText("docs/errors.md"),
    readText("docs/calling-your-bot.md"),
    ...globSync("packages/*/README.md", { cwd: root }).map(readText),
  ].join("\n");
  const codes = sources.flatMap((source) =>
    [...source.matchAll(/Error\(\s*"([A-Z]+(?:_[A-Z]+)+)"/g)].map(([, code = ""]) => code),
  );
  expect(new Set(codes).size).toBeGreaterThan(50);
  const isExplained = (code: string) => explained.includes(`### ${code}\n`) || explained.includes(`\`${code}\``);
  expect([...new Set(codes)].filter((code) => !isExplained(code))).toEqual([]);
});

test("no page has HTML that a reader would not see", () => {
  const hidden = pages.flatMap(({ file }) => {
    const text = withoutCode(readText(file)).replace(/`[^`]*`|<!--.*-->/g, "");
    return [...text.matchAll(/<(?!https?:)\/?[a-z][^>]*>/gi)].map(([tag]) => `${file}: ${tag}`);
  });
  expect(hidden).toEqual([]);
});

test("troubleshooting explains every reason why a call ends", () => {
  const [, type = ""] =
    readText("packages/runner-core/src/transport.ts").match(/type CloseReason =\n([\s\S]*?)\n\n/) ?? [];
  const reasons = [...type.matchAll(/\| "([\w-]+)"/g)].map(([, reason]) => `\`${reason}\``);
  expect([...firstCells(readText("docs/troubleshooting.md"), ["reason"])].sort()).toEqual(reasons.sort());
});

test("the API reference has every package that bots, transports or servers import", () => {
  const inside = [
    ...["create-pipecat-bot", "runner-fleet", "runner-fleet-redis", "runner-gateway"],
    ...["runner-openapi", "runner-sessions"],
  ];
  const folders = globSync("packages/*/package.json", { cwd: root }).map((file) => file.split("/")[1] ?? "");
  const shown = new Set(apiModules.map(({ file }) => file.split("/")[1] ?? ""));
  expect([...shown].sort()).toEqual(folders.filter((name) => !inside.includes(name)).sort());
  expect(new Set(apiModules.map(({ path }) => path)).size).toBe(apiModules.length);
});

test("every name that the API reference shows has a docstring", () => {
  const declaration =
    /(.*)\nexport (?:declare |abstract )*(?:async )?(?:function\*?|const|class|interface|type) (\w+)/g;
  const withoutPragmas = (source: string) => source.replace(/^\/\/ biome-ignore .*\n/gm, "");
  const declarations = sources.flatMap((source) => [...withoutPragmas(source).matchAll(declaration)]);
  const declared = new Set(declarations.map(([, , name]) => name));
  const explained = new Set(declarations.filter(([, before = ""]) => before.endsWith("*/")).map(([, , name]) => name));
  const names = apiModules.flatMap(({ file }) =>
    [...readText(file).matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, list = ""]) =>
      list.split(",").map((item) => item.trim().replace(/^type | as .*$/g, "")),
    ),
  );
  expect(names.length).toBeGreaterThan(200);
  expect(names.filter((name) => declared.has(name) && !explained.has(name))).toEqual([]);
});
