import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { findBot } from "./bot-file.ts";
import { explainImportError } from "./import-module.ts";
import { createProject } from "./test/temporary-project.ts";

test("a named file is resolved in the current folder", () => {
  const folder = createProject({ "bot.ts": "", "other/echo.js": "" });
  expect(findBot("other/echo.js", folder)).toBe(join(folder, "other/echo.js"));
  expect(findBot(join(folder, "other/echo.js"), "/")).toBe(join(folder, "other/echo.js"));
});

test("without a name, bot.* is found here, then in src, TypeScript first", () => {
  const folder = createProject({ "src/bot.ts": "", "bot.mjs": "", "bot.js": "" });
  expect(findBot(undefined, folder)).toBe(join(folder, "bot.js"));
  expect(findBot(undefined, createProject({ "src/bot.mts": "" }))).toMatch(/src\/bot\.mts$/);
});

test("no other file is run", () => {
  const folder = createProject({ "index.ts": "", "robot.ts": "", "bot.tsx": "", "bot.ts/index.ts": "" });
  expect(() => findBot(undefined, folder)).toThrow(
    expect.objectContaining({
      code: "BOT_NOT_FOUND",
      message: expect.stringMatching(/find bot\.ts, bot\.mts, bot\.js or bot\.mjs in .* src/),
    }),
  );
});

test("the error names the missing file and suggests the bot in a folder of that name", () => {
  const folder = createProject({ "echo/bot.ts": "" });
  expect(() => findBot("echo", folder)).toThrow(
    expect.objectContaining({ code: "BOT_NOT_FOUND", fix: expect.stringMatching(/^Did you mean .*echo\/bot\.ts\?$/) }),
  );
  expect(() => findBot("nothing.ts", folder)).toThrow(/Cannot find the file .*nothing\.ts/);
});

/** Files that cannot be loaded, each with its content and the expected message and fix. */
const files: Readonly<Record<string, readonly [content: string, message: RegExp, fix: RegExp]>> = {
  "without-bot.ts": [
    "export const robot = 1;",
    /^without-bot\.ts does not export "bot"\. It exports "robot"\.$/,
    /export async function bot/,
  ],
  "empty.mjs": ["", /^empty\.mjs does not export "bot"\. It exports nothing\.$/, /export async function bot/],
  "not-a-function.ts": [
    "export const bot: object = {};",
    /^"bot" in not-a-function\.ts is an object, not a function\.$/,
    /function bot/,
  ],
  "broken.js": [
    "export function bot() {\n  return ]\n}",
    /^broken\.js:2: Unexpected token '\]'\.$/,
    /Correct that line/,
  ],
  "imports-broken.ts": ['\nimport "./broken.js";', /^broken\.js:2: Unexpected token '\]'\.$/, /Correct that line/],
  "broken.ts": ["export function bot() {\n  const = 3;\n}", /^broken\.ts:2: Unexpected token/, /Correct that line/],
  "enum.ts": [
    "\nenum A { B }\nexport const bot = () => A.B;",
    /^enum\.ts:2: TypeScript enum is not supported/,
    /erasableSyntaxOnly/,
  ],
  "property.ts": [
    "class A { constructor(public b: number) {} }",
    /^property\.ts:1: TypeScript parameter property/,
    /fields/,
  ],
  "type.ts": [
    '\nimport { RunnerArguments } from "pipecat-runner";',
    /^type\.ts:2: .*'RunnerArguments'/,
    /import \{ type RunnerArguments \}/,
  ],
  "default.ts": [
    '\nimport runner from "pipecat-runner";',
    /^default\.ts:2: .*'default'/,
    /^Import its exports by name/,
  ],
  "package.ts": [
    'import "not-there";',
    /^package\.ts imports "not-there", which is not installed\.$/,
    /^Run: npm install not-there$/,
  ],
  "file.ts": ['import "./gone";', /^file\.ts imports gone, which does not exist\.$/, /also \.ts/],
  "view.tsx": ["export const bot = 1;", /^Node cannot run \.tsx files/, /\.ts, \.mts/],
  "throws.ts": [
    "const key: any = undefined;\n\nkey.length;",
    /^throws\.ts:3: TypeError while the file was loaded: .+length/,
    /-v/,
  ],
  "parses-at-run-time.ts": [
    'import { appendFileSync } from "node:fs";\nappendFileSync("runs.txt", "once ");\nJSON.parse("{");',
    /^parses-at-run-time\.ts:3: SyntaxError while the file was loaded: .+JSON/,
    /-v/,
  ],
  "throws-sentences.ts": [
    '\nthrow new Error("Set OPENAI_API_KEY.\\nOr pass a key.");',
    /^throws-sentences\.ts:2: Error while the file was loaded: Set OPENAI_API_KEY\.$/,
    /-v/,
  ],
  "throws-code.mjs": [
    "throw Object.assign(new Error(), { message: 401 });",
    /^throws-code\.mjs:1: Error while the file was loaded: 401\.$/,
    /-v/,
  ],
  "throws-empty.ts": ["throw new Error();", /^throws-empty\.ts:1: Error while the file was loaded\.$/, /-v/],
  "throws-text.mjs": ["throw 'no key';", /^throws-text\.mjs: Error while the file was loaded: no key\.$/, /-v/],
  "cjs/bot.ts": [
    "export function bot() {}",
    /^bot\.ts is an ES module, but package\.json says "type": "commonjs"\.$/,
    /npm pkg set type=module/,
  ],
};
const valid = {
  "cjs/old.js": "/*\nexport of a bot\n*/\nexports.bot = () => {};",
  "valid.ts": "export async function bot(args: object) {}",
};

let folder = "";
let outcomes: Record<string, { message?: string; fix?: string; code?: string; bot?: string }> = {};
let printed = "";
let runs = "";

// Imported in Node itself, because vitest imports modules in its own way.
beforeAll(() => {
  let remove: (() => void) | undefined;
  const contents = Object.entries(files).map(([name, [content]]) => [name, content]);
  folder = createProject(
    {
      ...Object.fromEntries(contents),
      ...valid,
      "package.json": '{"type": "module"}',
      "cjs/package.json": '{"type": "commonjs"}',
    },
    (release) => {
      remove = release;
    },
  );
  const script = `
    import { dirname, join } from "node:path";
    import { loadBot } from ${JSON.stringify(join(import.meta.dirname, "bot-file.ts"))};
    const outcomes = {};
    for (const name of ${JSON.stringify([...Object.keys(files), ...Object.keys(valid)])}) {
      const file = join(${JSON.stringify(folder)}, name);
      process.chdir(dirname(file));
      outcomes[name] = await loadBot(file).then(
        ({ bot, options }) => ({ bot: typeof bot, options }),
        ({ message, fix, code }) => ({ message, fix, code }),
      );
    }
    console.log(JSON.stringify(outcomes));`;
  printed = execFileSync(process.execPath, ["--input-type=module", "--eval", script], {
    cwd: folder,
    encoding: "utf8",
  });
  outcomes = JSON.parse(printed);
  runs = readFileSync(join(folder, "runs.txt"), "utf8");
  return remove;
}, 60_000);

test.each(Object.entries(files))("%s: the error has one line and a fix", (name, [, message, fix]) => {
  expect(outcomes[name]).toMatchObject({ code: "BOT_INVALID" });
  expect(outcomes[name]?.message).toMatch(message);
  expect(outcomes[name]?.message).not.toContain("\n");
  expect(outcomes[name]?.fix).toMatch(fix);
});

test("TypeScript and CommonJS files are loaded", () => {
  for (const name of Object.keys(valid)) expect(outcomes[name]).toEqual({ bot: "function" });
});

test("code that throws while it is loaded runs only once", () => {
  expect(runs).toBe("once ");
});

test("the process stays responsive while another Node finds the place of a syntax error", async () => {
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  const error = Object.assign(new SyntaxError("Unexpected token ']'"), { stack: "SyntaxError: Unexpected token ']'" });
  const { message } = await explainImportError(error, join(folder, "broken.js"));
  clearInterval(timer);
  expect(message).toMatch(/broken\.js:2: Unexpected token/);
  expect(ticks).toBeGreaterThan(0);
});
