import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { explainImportError } from "./import-error.ts";
import { createProject } from "./test/temporary-project.ts";

/** Files that are no bot, each with what must be said of it: the message, then the fix. */
const files: Readonly<Record<string, readonly [content: string, message: RegExp, fix: RegExp]>> = {
  "without-bot.ts": [
    "export const robot = 1;",
    /^without-bot\.ts exports "robot", and not "bot"\.$/,
    /export async function bot/,
  ],
  "empty.mjs": ["", /^empty\.mjs exports nothing, and not "bot"\.$/, /export async function bot/],
  "no-function.ts": [
    "export const bot: object = {};",
    /^"bot" in no-function\.ts is no function but an object\.$/,
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
  "package.ts": [
    'import "not-there";',
    /^package\.ts imports "not-there", which is not installed\.$/,
    /^npm install not-there$/,
  ],
  "file.ts": ['import "./gone";', /^file\.ts imports gone, which is not there\.$/, /\.ts too/],
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
  "throws-text.mjs": ["throw 'no key';", /^throws-text\.mjs: Error while the file was loaded: no key\.$/, /-v/],
  "cjs/bot.ts": [
    "export function bot() {}",
    /^bot\.ts is an ES module, and package\.json says "type": "commonjs"\.$/,
    /npm pkg set type=module/,
  ],
};
const sound = {
  "cjs/old.js": "/*\nexport of a bot\n*/\nexports.bot = () => {};",
  "sound.ts": "export async function bot(args: object) {}",
};

let folder = "";
let outcomes: Record<string, { message?: string; fix?: string; code?: string; bot?: string }> = {};
let printed = "";
let runs = "";

// Vitest has its own way of importing, so a real Node imports them all.
beforeAll(() => {
  let remove: (() => void) | undefined;
  const contents = Object.entries(files).map(([name, [content]]) => [name, content]);
  folder = createProject(
    {
      ...Object.fromEntries(contents),
      ...sound,
      "package.json": '{"type": "module"}',
      "cjs/package.json": '{"type": "commonjs"}',
    },
    (release) => {
      remove = release;
    },
  );
  const script = `
    import { dirname, join } from "node:path";
    import { loadBot } from ${JSON.stringify(join(import.meta.dirname, "load-bot.ts"))};
    const outcomes = {};
    for (const name of ${JSON.stringify([...Object.keys(files), ...Object.keys(sound)])}) {
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

test.each(Object.entries(files))("%s: one message and its fix", (name, [, message, fix]) => {
  expect(outcomes[name]).toMatchObject({ code: "BOT_INVALID" });
  expect(outcomes[name]?.message).toMatch(message);
  expect(outcomes[name]?.message).not.toContain("\n");
  expect(outcomes[name]?.fix).toMatch(fix);
});

test("TypeScript, and CommonJS that is one, are loaded", () => {
  for (const name of Object.keys(sound)) expect(outcomes[name]).toEqual({ bot: "function" });
});

test("code that fails while it runs is not run again to find out where", () => {
  expect(runs).toBe("once ");
});

test("other things go on while another Node is asked for the place", async () => {
  let others = 0;
  const timer = setInterval(() => others++, 1);
  const error = Object.assign(new SyntaxError("Unexpected token ']'"), { stack: "SyntaxError: Unexpected token ']'" });
  const { message } = await explainImportError(error, join(folder, "broken.js"));
  clearInterval(timer);
  expect(message).toMatch(/broken\.js:2: Unexpected token/);
  expect(others).toBeGreaterThan(0);
});
