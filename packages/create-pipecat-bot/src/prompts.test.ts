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
import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { afterAll, expect, test } from "vitest";
import { collectTemplates } from "../build-templates.ts";
import { createBot } from "./create-bot.ts";
import { CancelledError } from "./prompts.ts";

const catalog = await collectTemplates();
const cwd = realpathSync(mkdtempSync(join(tmpdir(), "create-pipecat-bot-prompts-")));
afterAll(() => rmSync(cwd, { recursive: true }));

const enter = "\r";
const down = "\u001b[B";
const space = " ";
const clear = "\u0015";
const ctrlC = "\u0003";

/** A key or a text, and what the terminal shows then. After Enter, that is the next question. */
type Key = readonly [key: string, effect: string] | typeof enter | typeof ctrlC;
const type = (text: string): Key => [text, text];

/** A question, and the keys that the user presses when it appears. */
type Answer = readonly [question: string, ...keys: readonly Key[]];
const folder: Answer = ["Folder of the new project", enter];
const template: Answer = ["Template", enter];
const transports: Answer = ["How callers reach the bot", enter];
const language: Answer = ["Language", enter];
const manager: Answer = ["Package manager", enter];

/** Creates a project at a terminal where a user gives `answers`. Returns the project and the questions that appeared. */
async function createAt(answers: readonly Answer[], ...argv: readonly string[]) {
  return createIn(cwd, answers, ...argv);
}

async function createIn(cwd: string, answers: readonly Answer[], ...argv: readonly string[]) {
  const input = new PassThrough();
  const output = Object.assign(new PassThrough(), { columns: 100, rows: 40 });
  let shown = "";
  output.setEncoding("utf8").on("data", (text: string) => (shown += stripVTControlCharacters(text)));
  const creating = createBot([...argv, "--no-install"], {
    catalog,
    cwd,
    interactive: true,
    terminal: { input, output },
    userAgent: "pnpm/12.1.0 npm/? node/v24.1.0",
  });
  creating.catch(() => undefined); // the caller handles it
  for (const [question, ...keys] of answers) {
    await expect.poll(() => shown).toContain(question);
    for (const each of keys) {
      const [key, effect] = typeof each === "string" ? [each, ""] : each;
      shown = "";
      input.write(key);
      await expect.poll(() => shown).toContain(effect);
    }
  }
  return creating;
}

const manifestOf = (name: string) => JSON.parse(readFileSync(join(cwd, name, "package.json"), "utf8"));

test("Enter accepts each default, and the package manager is the one that runs the command", async () => {
  const project = await createAt([folder, template, transports, language, manager]);
  expect(project).toMatchObject({ name: "pipecat-bot", language: "ts", manager: "pnpm" });
  expect(project.template.name).toBe("realtime");
  expect(project.transports.map(({ name }) => name)).toEqual(["webrtc"]);
  expect(project.nextSteps.at(-1)).toBe("pnpm start");
  expect(readdirSync(join(cwd, "pipecat-bot"))).toContain("bot.ts");
});

test("a user chooses everything", async () => {
  const [first, second] = catalog.transports.map(({ name }) => name);
  const project = await createAt([
    ["Folder of the new project", type("phones"), enter],
    ["Template", [down, "● gemini"], [down, "● cascade"], [down, "● echo"], enter],
    ["How callers reach the bot", [space, `◻ ${first}`], [down, `◻ ${second}`], [space, `◼ ${second}`], enter],
    ["Language", [down, "● JavaScript"], enter],
    ["Package manager", [down, "● npm"], enter],
  ]);
  expect(project).toMatchObject({ name: "phones", language: "js", manager: "npm" });
  expect(project.template.name).toBe("echo");
  expect(first).toBe("webrtc");
  expect(project.transports.map(({ name }) => name)).toEqual([second]);
  expect(readdirSync(join(cwd, "phones"))).toContain("bot.js");
});

test("a name that npm rejects is asked for again", async () => {
  const project = await createAt([
    ["Folder of the new project", type("My Bot"), enter],
    ['"My Bot" cannot be the name of a package', [clear, "pipecat-bot"], type("my-bot"), enter],
    template,
    transports,
    language,
    manager,
  ]);
  expect(manifestOf(project.name)).toMatchObject({ name: "my-bot" });
});

test("a folder that has files is asked for again, also the default", async () => {
  mkdirSync(join(cwd, "taken/pipecat-bot"), { recursive: true });
  writeFileSync(join(cwd, "taken/pipecat-bot/notes"), "");
  const project = await createIn(join(cwd, "taken"), [
    folder,
    ["pipecat-bot is not empty: it has notes.", type("other/"), enter],
    template,
    transports,
    language,
    manager,
  ]);
  expect(project.nextSteps[0]).toBe("cd other");
});

test("a question that a flag answers does not appear, and a transport package has no transports to choose", async () => {
  const project = await createAt([language, manager], "runner-dove", "--template", "transport");
  expect(project.transports).toEqual([]);
  expect(manifestOf("runner-dove")).toMatchObject({ name: "runner-dove" });
});

const questions = [folder, template, transports, language, manager];
test.each(questions.map((_, index) => index))("Ctrl+C at question %i creates nothing", async (index) => {
  const answers = questions.slice(0, index + 1).map(([question], at): Answer => {
    if (at === index) return [question, ctrlC];
    return at === 0 ? [question, type("left"), enter] : [question, enter];
  });
  const creating = createAt(answers);
  await expect(creating).rejects.toThrow(CancelledError);
  await expect(creating).rejects.toThrow("Nothing was created.");
  expect(existsSync(join(cwd, "left"))).toBe(false);
});
