import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { bin, call, startProgram } from "./test/program.ts";
import { createProject, toyManifest } from "./test/temporary-project.ts";

// Real processes on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

/** Says its words again and again, until it is told to stop. */
const talkingBot = `
import facts from "./lib/facts.json" with { type: "json" };
import { word } from "./lib/word.ts";
import { main } from "pipecat-runner";
export function bot({ body, signal }) {
  const timer = setInterval(() => console.log(body.name + " says " + word() + " " + facts.count), 20);
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(clearInterval(timer))));
}
await main(import.meta);
`;

const word = (text: string) => `export const word = (): string => "${text}";`;

test.each([["pipecat-runner bot.ts"], ["node bot.ts"]])(
  "%s --watch: new calls run the changed code",
  async (command) => {
    const folder = createProject({
      "package.json": toyManifest,
      "bot.ts": talkingBot,
      "lib/word.ts": word("one"),
      "lib/facts.json": '{"count": 1}',
    });
    const file = (path: string) => join(folder, path);
    const script = command.startsWith("node") ? file("bot.ts") : bin;
    const program = startProgram(folder, [script, "--port", "0", "--watch"]);
    const [, url = ""] = await program.printed(/(http:\/\/localhost:[1-9]\d*)/);
    await call(url, { name: "first" });
    await program.printed(/first says one 1/);

    writeFileSync(file("lib/word.ts"), word("two"));
    await program.printed(/word\.ts was changed: new sessions run the new code/);
    await call(url, { name: "second" });
    await program.printed(/second says two 1/);

    // As editors do: another file in its place.
    writeFileSync(file("lib/facts.tmp"), '{"count": 2}');
    renameSync(file("lib/facts.tmp"), file("lib/facts.json"));
    await program.printed(/facts\.json was changed/);
    await call(url, { name: "third" });
    await program.printed(/third says two 2/);
    const before = program.stdout.length;
    await program.printed(/third says two 2(?:.|\n)+first says one 1(?:.|\n)+second says two 1/);
    expect(program.stdout.slice(before)).not.toMatch(/first says (two|one 2)/);

    writeFileSync(file("lib/word.ts"), "export const word = ]");
    await program.printed(/word\.ts:1: .+New sessions run the code before/);
    await call(url, { name: "fourth" });
    await program.printed(/fourth says two 2/);
    writeFileSync(file("lib/word.ts"), word("three"));
    await call(url, { name: "waiting" });
    await program.printed(/word\.ts was changed: new sessions run the new code(?:.|\n)+word\.ts was changed: new/);
    await call(url, { name: "fifth" });
    await program.printed(/fifth says three 2/);

    program.signal("SIGINT");
    expect(await program.ended).toBe(0);
    expect(program.stderr).toBe("");
  },
);

/** A watched program whose bot says, once for each call, what its word is; its files; and how often it took a change up. */
async function watchedBot(more = "") {
  const folder = createProject({
    "package.json": toyManifest,
    "bot.ts": `import { word } from "./lib/word.ts";\n${more}\n${shortBot}`,
    "lib/word.ts": word("one"),
  });
  const program = startProgram(folder, [bin, "--port", "0", "--watch"]);
  const [, url = ""] = await program.printed(/(http:\/\/localhost:[1-9]\d*)/);
  return { program, url, file: (path: string) => join(folder, path) };
}

const shortBot = 'export const bot = ({ body }) => console.log(body.name + " says " + word());';

test("a file that was missing is waited for, in a folder that was missing, too", async () => {
  const { program, url, file } = await watchedBot();
  const imports = (path: string) => writeFileSync(file("bot.ts"), `import { word } from "${path}";\n${shortBot}`);
  imports("./new.ts");
  await program.printed(/imports new\.ts, which is not there\..+New sessions run the code before/);
  writeFileSync(file("new.ts"), word("new"));
  await program.printed(/new\.ts was changed: new sessions run the new code/);
  await call(url, { name: "second" });
  await program.printed(/second says new/);

  imports("./far/away/newer.ts");
  await program.printed(/imports far\/away\/newer\.ts, which is not there/);
  mkdirSync(file("far/away"), { recursive: true });
  writeFileSync(file("far/away/newer.ts"), word("newer"));
  await program.printed(/newer\.ts was changed: new sessions run the new code/);
  await call(url, { name: "third" });
  await program.printed(/third says newer/);
});

test("a file that changes while it is loaded is loaded again", async () => {
  const { program, url, file } = await watchedBot();
  const changesItself = `import { writeFileSync } from "node:fs";
writeFileSync(new URL(import.meta.url).pathname, ${JSON.stringify(word("last"))});
${word("first")}`;
  writeFileSync(file("self.ts"), changesItself);
  writeFileSync(file("bot.ts"), `import { word } from "./self.ts";\n${shortBot}`);
  await program.printed(/self\.ts was changed: new sessions run the new code/);
  await call(url, { name: "second" });
  await program.printed(/second says last/);
});

test("a folder that is replaced is watched on", async () => {
  const { program, url, file } = await watchedBot();
  rmSync(file("lib"), { recursive: true });
  await program.printed(/imports lib\/word\.ts, which is not there/);
  mkdirSync(file("lib"));
  writeFileSync(file("lib/word.ts"), word("two"));
  await program.printed(/word\.ts was changed: new sessions run the new code/);
  mkdirSync(file("next"));
  writeFileSync(file("next/word.ts"), word("three"));
  renameSync(file("lib"), file("before"));
  renameSync(file("next"), file("lib"));
  await program.printed(/(was changed: new(?:.|\n)+){2}/);
  writeFileSync(file("lib/word.ts"), word("four"));
  await program.printed(/(was changed: new(?:.|\n)+){3}/);
  await call(url, { name: "second" });
  await program.printed(/second says four/);
});

test("neither what a bot writes beside its code nor a file that never rests keeps a change from being taken up", async () => {
  const { program, file } = await watchedBot(`
    import { appendFileSync } from "node:fs";
    setInterval(() => appendFileSync(new URL("call.wav", import.meta.url), "sound"), 5);`);
  const writing = setInterval(() => writeFileSync(file("lib/word.ts"), word(String(performance.now()))), 10);
  try {
    await program.printed(/word\.ts was changed: new sessions run the new code/);
  } finally {
    clearInterval(writing);
  }
  writeFileSync(file("lib/word.ts"), `${word("last")}\nconsole.log("the last was loaded");`);
  await program.printed(/the last was loaded/);
});

test("a bot that is broken from the start is not run", async () => {
  const folder = createProject({ "package.json": toyManifest, "bot.ts": "export const bot = ]" });
  const program = startProgram(folder, [bin, "--port", "0", "--watch"]);
  expect(await program.ended).toBe(1);
  expect(program.stderr).toMatch(/^error: bot\.ts:1: .+/);
});
