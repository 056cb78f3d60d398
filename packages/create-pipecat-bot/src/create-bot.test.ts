import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { collectTemplates } from "../build-templates.ts";
import { ChoiceError } from "./choices.ts";
import { helpText, parseCommandLine } from "./command-line.ts";
import { createBot } from "./create-bot.ts";

const catalog = await collectTemplates();
const cwd = realpathSync(mkdtempSync(join(tmpdir(), "create-pipecat-bot-")));
afterAll(() => rmSync(cwd, { recursive: true }));

const create = (...argv: string[]) => createBot([...argv, "--no-install"], { catalog, cwd });
const read = (path: string) => readFileSync(join(cwd, path), "utf8");

test("creates a bot with defaults, and says what to do next", async () => {
  const { nextSteps } = await create();
  expect(nextSteps).toEqual([
    "cd pipecat-bot",
    "npm install",
    expect.stringMatching(/^cp \.env\.example \.env/),
    "npm start",
  ]);
  expect(readdirSync(join(cwd, "pipecat-bot")).sort()).toEqual([
    ".dockerignore",
    ".env.example",
    ".gitignore",
    "AGENTS.md",
    "Dockerfile",
    "README.md",
    "bot.test.ts",
    "bot.ts",
    "conversation.ts",
    "package.json",
    "pipecat-env.d.ts",
    "tsconfig.json",
  ]);
  expect(read("pipecat-bot/bot.ts").match(/\w+: audio,/g)).toEqual(["webrtc: audio,"]);
  const manifest = JSON.parse(read("pipecat-bot/package.json"));
  expect(manifest).toMatchObject({ name: "pipecat-bot", type: "module", scripts: { start: "pipecat-runner" } });
  expect(Object.keys(manifest.dependencies)).toEqual(["@pipecat-ts/runner-webrtc", "openai", "pipecat-runner", "ws"]);
});

test("a bot has params, packages and types of the chosen transports only, and its test calls over one of them", async () => {
  await create("phone", "--transports", "twilio,whatsapp", "--template=echo");
  expect(read("phone/bot.ts").match(/\w+: audio,/g)).toEqual(["twilio: audio,", "webrtc: audio,"]);
  expect(read("phone/bot.test.ts")).toContain('transport: "twilio"');
  expect(read("phone/pipecat-env.d.ts").match(/@[\w/-]+/g)).toEqual([
    "@pipecat-ts/runner-telephony-twilio",
    "@pipecat-ts/runner-whatsapp",
  ]);
  expect(Object.keys(JSON.parse(read("phone/package.json")).dependencies)).toEqual([
    "@pipecat-ts/runner-telephony-twilio",
    "@pipecat-ts/runner-whatsapp",
    "pipecat-runner",
  ]);
});

test("JavaScript has no types", async () => {
  const { nextSteps } = await create("script", "--js", "--manager", "pnpm", "--template", "echo");
  expect(nextSteps).toEqual(["cd script", "pnpm install", "pnpm start"]);
  expect(readdirSync(join(cwd, "script")).filter((name) => /ts/.test(name))).toEqual([]);
  expect(read("script/pnpm-workspace.yaml")).toBe('allowBuilds:\n  "protobufjs": false\n');
  expect(read("script/bot.js")).toContain("export async function bot(args) {");
  expect(read("script/bot.test.js")).toContain('from "./bot.js"');
});

test("a transport package is named after its folder", async () => {
  await create("runner-carrier-dove", "--template", "transport");
  expect(read("runner-carrier-dove/src/plugin.ts")).toContain('name: "carrierDove"');
  expect(read("runner-carrier-dove/src/index.ts")).toContain("carrierDove: CarrierDoveRunnerArguments;");
  expect(JSON.parse(read("runner-carrier-dove/package.json"))).toMatchObject({ pipecatRunner: { plugin: "./plugin" } });
  expect(read("runner-carrier-dove/README.md")).toContain('{"transport": "carrierDove"}');
  await create("runner-", "--template", "transport");
  expect(read("runner-/src/plugin.ts")).toContain('name: "transport"');
});

test("a transport package is published, so it has no Dockerfile, and notes of its own for coding agents", async () => {
  await create("runner-egret", "--template", "transport");
  expect(readdirSync(join(cwd, "runner-egret")).sort()).toEqual([
    ".gitignore",
    "AGENTS.md",
    "README.md",
    "bot.ts",
    "package.json",
    "pipecat-runner.config.ts",
    "src",
    "tsconfig.build.json",
    "tsconfig.json",
  ]);
  expect(read("runner-egret/AGENTS.md")).toContain("conformance suite");
});

test("an existing folder may contain a Git repository, and nothing else", async () => {
  mkdirSync(join(cwd, "cloned/.git"), { recursive: true });
  await create("cloned");
  await expect(create("cloned")).rejects.toThrow(
    "cloned is not empty: it has .dockerignore, .env.example, .gitignore.",
  );
  writeFileSync(join(cwd, "file"), "");
  await expect(create("file")).rejects.toThrow("file is not a folder.");
});

test("a folder that cannot be created is an error without a stack, and a path with spaces can be pasted", async () => {
  writeFileSync(join(cwd, "notes"), "");
  await expect(create("notes/bot")).rejects.toThrow(
    expect.objectContaining({
      constructor: ChoiceError,
      message: expect.stringMatching(/ENOTDIR.+Choose another folder\.$/),
    }),
  );
  expect((await create("my bots/first")).nextSteps[0]).toBe('cd "my bots/first"');
});

test.each([
  [
    ["My Bot!"],
    '"My Bot!" cannot be the name of a package. Use lower-case letters, digits, "-", "_" and ".". For example: my-bot',
  ],
  [["../.."], "cannot be the name of a package"],
  [["new", "--template", "ecko"], '"ecko" is not a template. Did you mean echo?'],
  [["new", "--template", "unknown"], '"unknown" is not a template. Choose from: realtime, gemini, cascade, echo'],
  [["new", "--transports", "webrtc, twillio"], '"twillio" is not a transport. Did you mean twilio?'],
  [["new", "--transports", ","], "--transports names no transport. Choose from: webrtc"],
  [["new", "--template", "transport", "--transports", "webrtc"], "--transports is for bots"],
  [["new", "--manager", "pmpm"], '"pmpm" is not a package manager. Did you mean pnpm?'],
  [["new", "--tempalte", "echo"], "--tempalte is not a flag. Did you mean --template?"],
  [["new", "-x"], "-x is not a flag."],
  [["new", "--template"], "--template has no value."],
  [["new", "--yes=no"], '--yes takes no value: it has "no".'],
  [["new", "other"], 'Unexpected argument "other". Name one folder.'],
  [["new", "--js", "--ts"], "--js and --ts cannot be combined."],
])("%j is refused before anything is written", async (argv, message) => {
  await expect(create(...argv)).rejects.toThrow(message);
  expect(existsSync(join(cwd, "new"))).toBe(false);
});

test("--help lists all templates and transports", () => {
  const text = helpText(catalog);
  expect(text).toContain("Default: realtime\n");
  expect(text).toContain("Default folder: pipecat-bot\n");
  for (const { name, description } of [...catalog.templates, ...catalog.transports]) {
    expect(text).toMatch(new RegExp(`\\n  ${name} +`));
    expect(text).toContain(description);
  }
  expect(parseCommandLine(["-h"])).toMatchObject({ help: true });
  // pnpm passes the separator on.
  expect(parseCommandLine(["a", "--", "--js", "-t", "echo"])).toMatchObject({
    folder: "a",
    js: true,
    template: "echo",
  });
  for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(100);
});
