import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { guessBot } from "./bot-guess.ts";
import { checkBotOptions } from "./bot-options.ts";
import { bin, call, startProgram } from "./test/program.ts";
import { createProject, toyManifest } from "./test/temporary-project.ts";

// Real processes on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const moodyBot = `
export const options = {
  mood: { flag: "mood", env: "MOOD", default: "fine", description: "How the bot feels", schema: { type: "string" } },
  volume: { flag: "volume", description: "How loud", schema: { type: "integer", minimum: 0, maximum: 11 } },
  key: { env: "MOOD_KEY", description: "Only from the environment", secret: true, schema: { type: "string" } },
  loud: { flag: "loud", description: "Whether it shouts", schema: { type: "boolean" } },
};
export function bot({ cliArgs, body }) {
  console.log("called " + JSON.stringify({ cliArgs, body }));
}
`;

/** Starts a bot, calls it once without a body, and answers what it was given. */
async function given(folder: string, argv: readonly string[], env: Record<string, string> = {}): Promise<unknown> {
  const program = startProgram(folder, [bin, ...argv, "--port", "0"], env);
  const [, url = ""] = await program.printed(/(http:\/\/localhost:[1-9]\d*)/);
  await call(url);
  const [, facts = ""] = await program.printed(/called (.+)\n/);
  program.signal("SIGINT");
  expect(await program.ended).toBe(0);
  return JSON.parse(facts).cliArgs;
}

test("a bot's own options are flags and variables, checked, and delivered in cliArgs", async () => {
  const folder = createProject({ "package.json": toyManifest, "bot.js": moodyBot });
  const [flags, defaults, named] = await Promise.all([
    given(folder, ["--mood", "sad", "--volume", "11", "--loud"], { MOOD_KEY: "k", MOOD: "from-variable" }),
    given(folder, [], { MOOD: "from-variable" }),
    given(folder, ["--volume", "3", "bot.js"]),
  ]);
  expect(flags).toEqual({ port: 0, mood: "sad", volume: 11, loud: true, key: "k" });
  expect(defaults).toEqual({ port: 0, mood: "from-variable" });
  expect(named).toEqual({ port: 0, mood: "fine", volume: 3 });

  const help = startProgram(folder, [bin, "--help"]);
  const wrong = startProgram(folder, [bin, "--volume", "12"]);
  const unknown = startProgram(folder, [bin, "--mod", "sad"]);
  expect(await Promise.all([help.ended, wrong.ended, unknown.ended])).toEqual([0, 1, 1]);
  expect(help.stdout).toMatch(
    /\nbot\.js:\n {6}--mood <value> +How the bot feels\s+\[default fine, MOOD\]\n {6}--volume <value> /,
  );
  expect(wrong.stderr).toMatch(/--volume is "12"; it must be a whole number from 0 to 11/);
  expect(unknown.stderr).toMatch(/There is no flag --mod\. Did you mean --mood\?/);
});

test("the project's config may declare them, too", async () => {
  const folder = createProject({
    "package.json": toyManifest,
    "pipecat-runner.config.js": `export default { options: { tone: { flag: "tone", default: "low", description: "Its tone", schema: { type: "string" } } } };`,
    "bot.js": moodyBot,
  });
  expect(await given(folder, ["--tone", "high"])).toEqual({ port: 0, tone: "high", mood: "fine" });
});

test("a bot that cannot be loaded is what is said of a flag that it may have, and --help works without it", async () => {
  const folder = createProject({ "package.json": toyManifest, "bot.js": "export const bot = ]" });
  const run = startProgram(folder, [bin, "--mood", "sad"]);
  const help = startProgram(folder, [bin, "--help"]);
  expect(await Promise.all([run.ended, help.ended])).toEqual([1, 0]);
  expect(run.stderr).toMatch(/^error: bot\.js:1: /);
  expect(help.stdout).toContain("--port");
});

test("--runner-body is the body of callers who bring none, and --folder holds files to download", async () => {
  const folder = createProject({
    "package.json": toyManifest,
    "body.json": '{"user": "anna"}',
    "out/a.txt": "hello",
    "bot.js": `export const bot = ({ body }) => console.log("body " + JSON.stringify(body));`,
  });
  const argv = [bin, "--port", "0", "--runner-body", "body.json", "-f", "out"];
  const program = startProgram(folder, argv);
  const [, url = ""] = await program.printed(/(http:\/\/localhost:[1-9]\d*)/);
  await fetch(new URL("/start", url), { method: "POST", body: '{"transport": "toy"}' });
  await program.printed(/body .*"user":"anna"/);
  expect(await (await fetch(new URL("/files/a.txt", url))).text()).toBe("hello");
  program.signal("SIGINT");
  expect(await program.ended).toBe(0);

  writeFileSync(join(folder, "body.json"), "{");
  const broken = startProgram(folder, argv);
  const missing = startProgram(folder, [bin, "--port", "0", "-f", "nowhere"]);
  expect(await Promise.all([broken.ended, missing.ended])).toEqual([1, 1]);
  expect(broken.stderr).toMatch(/--runner-body is body\.json, which is no JSON file/);
  expect(missing.stderr).toMatch(/--folder is "nowhere", which is no folder/);
});

test.each([
  [["bot.ts", "--port", "1"], "bot.ts"],
  [["--folder", "files.js", "bot.ts"], "bot.ts"],
  [["-f", "files.js"], undefined],
  [["--folder=files.js", "--open", "bot.ts"], "bot.ts"],
  [["--mood", "sad", "bot.ts"], "bot.ts"],
  [["--", "bot.ts"], undefined],
])("of %j the bot is %s", (argv, bot) => {
  const schema = { type: "string" };
  const table = {
    folder: { flag: "folder", short: "f", description: "", schema },
    open: { flag: "open", description: "", schema: { type: "boolean" } },
  };
  expect(guessBot(argv, [{ name: "Options", table }])).toBe(bot);
});

test.each([
  [7, /"options" in bot\.ts is 7/],
  [[], /"options" in bot\.ts is \[\]/],
  [{ mood: { flag: "mood" } }, /"mood" in bot\.ts needs/],
  [{ mood: { flag: "Mood", description: "", schema: {} } }, /"mood" in bot\.ts needs/],
  [{ mood: null }, /"mood" in bot\.ts needs/],
  [{ mood: { flag: "port", description: "", schema: {} } }, /--port, which is taken/],
])("options that are none are refused: %j", (options, message) => {
  const taken = [{ port: { flag: "port", description: "", schema: {} } }];
  expect(() => checkBotOptions(options, "bot.ts", taken)).toThrow(
    expect.objectContaining({ code: "BOT_INVALID", message: expect.stringMatching(message) }),
  );
});
