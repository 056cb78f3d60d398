import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bin, call, startProgram } from "./test/program.ts";
import { createProject, manifestWithTransport } from "./test/temporary-project.ts";

const moodyBot = `
import { main } from "pipecat-runner";
console.log("evaluated");
export const options = {
  mood: { flag: "mood", env: "MOOD", default: "fine", description: "How the bot feels", schema: { type: "string" } },
  volume: { flag: "volume", description: "How loud", schema: { type: "integer", minimum: 0, maximum: 11 } },
  key: { env: "MOOD_KEY", description: "Only from the environment", secret: true, schema: { type: "string" } },
  loud: { flag: "loud", description: "Whether it shouts", schema: { type: "boolean" } },
};
export function bot({ cliArgs, body }) {
  console.log("called " + JSON.stringify({ cliArgs, body }));
}
await main(import.meta);
`;

/** Starts a bot and calls it once without a body. Resolves to its `args.cliArgs`. */
async function given(folder: string, argv: readonly string[], env: Record<string, string> = {}): Promise<unknown> {
  const program = startProgram(folder, [bin, ...argv, "--port", "0"], env);
  const [, url = ""] = await program.printed(/(http:\/\/localhost:[1-9]\d*)/);
  await call(url);
  const [, facts = ""] = await program.printed(/called (.+)\n/);
  program.signal("SIGINT");
  expect(await program.ended).toBe(0);
  return JSON.parse(facts).cliArgs;
}

test("a bot's own options are flags and variables, and args.cliArgs has their values", async () => {
  const folder = createProject({ "package.json": manifestWithTransport, "bot.js": moodyBot });
  const [flags, defaults, named] = await Promise.all([
    given(folder, ["--mood", "sad", "--volume", "11", "--loud"], { MOOD_KEY: "k", MOOD: "from-variable" }),
    given(folder, [], { MOOD: "from-variable" }),
    given(folder, ["--volume", "3", "bot.js"]),
  ]);
  expect(flags).toEqual({ port: 0, mood: "sad", volume: 11, loud: true, key: "k" });
  expect(defaults).toEqual({ port: 0, mood: "from-variable" });
  expect(named).toEqual({ port: 0, mood: "fine", volume: 3 });

  const wrong = startProgram(folder, [bin, "--volume", "12"]);
  const unknown = startProgram(folder, [bin, "--mod", "sad"]);
  const misplaced = startProgram(folder, [bin, "--loud", "other.js"]);
  expect(await Promise.all([wrong.ended, unknown.ended, misplaced.ended])).toEqual([1, 1, 1]);
  expect(wrong.stderr).toMatch(/^evaluated\nerror: --volume.*"12".*whole number from 0 to 11\.\n$/);
  expect(unknown.stderr).toMatch(/--mod is not a flag\. Did you mean --mood\?/);
  expect(misplaced.stderr).toMatch(
    /The bot "other\.js" follows a flag of its own\. Name the bot first: pipecat-runner other\.js/,
  );
});

test("types writes the types of the transports, and each start updates them, also that of `node bot.js`", async () => {
  const bot = 'import { main } from "pipecat-runner"; export function bot() {} await main(import.meta);';
  const folder = createProject({ "package.json": manifestWithTransport, "bot.js": bot });
  const file = join(folder, "pipecat-env.d.ts");
  const types = startProgram(folder, [bin, "types"]);
  expect(await types.ended).toBe(0);
  expect(types.stdout).toBe("pipecat-env.d.ts now imports the types of fake-transport\n");
  const help = startProgram(folder, [bin, "types", "--help"]);
  expect(await help.ended).toBe(0);
  expect(help.stdout).toMatch(/^Usage: pipecat-runner types\n/);
  const written = readFileSync(file, "utf8");
  for (const program of [bin, "bot.js"]) {
    writeFileSync(file, "outdated");
    const runner = startProgram(folder, [program, "--port", "0"]);
    await runner.printed(/calls at once/);
    expect(readFileSync(file, "utf8")).toBe(written);
    runner.signal("SIGINT");
    expect(await runner.ended).toBe(0);
  }
});

test("a bot starts without a required option, and the banner names it", async () => {
  const bot = `
    export const options = { key: { env: "MOOD_KEY", description: "Key of moods", required: true, schema: { type: "string" } } };
    export function bot() {}`;
  const folder = createProject({ "package.json": manifestWithTransport, "bot.js": bot });
  const without = startProgram(folder, [bin, "--port", "0"]);
  const complete = startProgram(folder, [bin, "--port", "0"], { MOOD_KEY: "k" });
  await without.printed(/MOOD_KEY is not set: Key of moods\..*\n {2}→ Add MOOD_KEY=<value> to \.env\.\n/);
  await complete.printed(/calls at once/);
  for (const program of [without, complete]) program.signal("SIGINT");
  expect(await Promise.all([without.ended, complete.ended])).toEqual([0, 0]);
  expect(complete.stderr).not.toContain("MOOD_KEY");
});

test("--help does not run the bot, unless the bot is the program", async () => {
  const folder = createProject({ "package.json": manifestWithTransport, "bot.js": moodyBot });
  const command = startProgram(folder, [bin, "--help"]);
  const program = startProgram(folder, ["bot.js", "--help"]);
  expect(await Promise.all([command.ended, program.ended])).toEqual([0, 0]);
  expect(command.stdout).not.toMatch(/evaluated|--mood/);
  expect(command.stdout).toContain("--help does not run the bot");
  expect(program.stdout).toMatch(
    /\nBot:\n {6}--mood <value> +How the bot feels\s+\[default fine, MOOD\]\n {6}--volume <value> /,
  );
});

test("pipecat-runner.config may declare options, and --help lists them", async () => {
  const folder = createProject({
    "package.json": manifestWithTransport,
    "pipecat-runner.config.js": `export default { options: { tone: { flag: "tone", default: "low", description: "Its tone", schema: { type: "string" } } } };`,
    "bot.js": moodyBot,
  });
  const help = startProgram(folder, [bin, "--help"]);
  expect(await given(folder, ["--tone", "high"])).toEqual({ port: 0, tone: "high", mood: "fine" });
  expect(await help.ended).toBe(0);
  expect(help.stdout).toMatch(/\nBot:\n {6}--tone <value> +Its tone/);
});

test("a bot that cannot be loaded is reported before its unknown flags, and --help works without it", async () => {
  const folder = createProject({ "package.json": manifestWithTransport, "bot.js": "export const bot = ]" });
  const run = startProgram(folder, [bin, "--mood", "sad"]);
  const help = startProgram(folder, [bin, "--help"]);
  expect(await Promise.all([run.ended, help.ended])).toEqual([1, 0]);
  expect(run.stderr).toMatch(/^error: bot\.js:1: /);
  expect(help.stdout).toContain("--port");
});
