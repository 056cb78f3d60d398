import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bin, call, startProgram } from "./test/program.ts";
import { createProject, manifestWithTransport } from "./test/temporary-project.ts";

/** Prints its word repeatedly until its abort signal. */
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
      "package.json": manifestWithTransport,
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
    await program.printed(/word\.ts".*bot reloaded/);
    await call(url, { name: "second" });
    await program.printed(/second says two 1/);

    // Editors replace the file.
    writeFileSync(file("lib/facts.tmp"), '{"count": 2}');
    renameSync(file("lib/facts.tmp"), file("lib/facts.json"));
    await program.printed(/facts\.json".*bot reloaded/);
    await call(url, { name: "third" });
    await program.printed(/third says two 2/);
    const before = program.stdout.length;
    await program.printed(/third says two 2(?:.|\n)+first says one 1(?:.|\n)+second says two 1/);
    expect(program.stdout.slice(before)).not.toMatch(/first says (two|one 2)/);

    writeFileSync(file("lib/word.ts"), "export const word = ]");
    await program.printed(/word\.ts:1: .+New sessions run the previous code/);
    await call(url, { name: "fourth" });
    await program.printed(/fourth says two 2/);
    writeFileSync(file("lib/word.ts"), word("three"));
    await call(url, { name: "waiting" });
    await program.printed(/word\.ts".*bot reloaded(?:.|\n)+word\.ts".*bot reloaded/);
    await call(url, { name: "fifth" });
    await program.printed(/fifth says three 2/);

    program.signal("SIGINT");
    expect(await program.ended).toBe(0);
    expect(program.stderr).not.toMatch(/warning|error/i);
  },
);

/** A watched program whose bot prints its word once per call. */
async function watchedBot(more = "", ...flags: readonly string[]) {
  const folder = createProject({
    "package.json": manifestWithTransport,
    "bot.ts": `import { word } from "./lib/word.ts";\n${more}\n${shortBot}`,
    "lib/word.ts": word("one"),
  });
  const program = startProgram(folder, [bin, "--port", "0", "--watch", ...flags]);
  const [, url = ""] = await program.printed(/(http:\/\/localhost:[1-9]\d*)/);
  return { program, url, file: (path: string) => join(folder, path) };
}

const shortBot = 'export const bot = ({ body }) => console.log(body.name + " says " + word());';

test("a missing file is loaded when it appears, also in a missing folder", async () => {
  const { program, url, file } = await watchedBot();
  const imports = (path: string) => writeFileSync(file("bot.ts"), `import { word } from "${path}";\n${shortBot}`);
  imports("./new.ts");
  await program.printed(/imports new\.ts, which does not exist\..+New sessions run the previous code/);
  writeFileSync(file("new.ts"), word("new"));
  await program.printed(/new\.ts".*bot reloaded/);
  await call(url, { name: "second" });
  await program.printed(/second says new/);

  imports("./far/away/newer.ts");
  await program.printed(/imports far\/away\/newer\.ts, which does not exist/);
  mkdirSync(file("far/away"), { recursive: true });
  writeFileSync(file("far/away/newer.ts"), word("newer"));
  await program.printed(/newer\.ts".*bot reloaded/);
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
  await program.printed(/self\.ts".*bot reloaded/);
  await call(url, { name: "second" });
  await program.printed(/second says last/);
});

test("a replaced folder is still watched", async () => {
  const { program, url, file } = await watchedBot();
  rmSync(file("lib"), { recursive: true });
  await program.printed(/imports lib\/word\.ts, which does not exist/);
  mkdirSync(file("lib"));
  writeFileSync(file("lib/word.ts"), word("two"));
  await program.printed(/word\.ts".*bot reloaded/);
  mkdirSync(file("next"));
  writeFileSync(file("next/word.ts"), word("three"));
  renameSync(file("lib"), file("before"));
  renameSync(file("next"), file("lib"));
  await program.printed(/(bot reloaded(?:.|\n)+){2}/);
  writeFileSync(file("lib/word.ts"), word("four"));
  await program.printed(/(bot reloaded(?:.|\n)+){3}/);
  await call(url, { name: "second" });
  await program.printed(/second says four/);
});

test("a change is loaded although the bot writes files beside its code, and although a file changes all the time", async () => {
  const { program, file } = await watchedBot(`
    import { appendFileSync } from "node:fs";
    setInterval(() => appendFileSync(new URL("call.wav", import.meta.url), "sound"), 5);`);
  const writing = setInterval(() => writeFileSync(file("lib/word.ts"), word(String(performance.now()))), 10);
  try {
    await program.printed(/word\.ts".*bot reloaded/);
  } finally {
    clearInterval(writing);
  }
  writeFileSync(file("lib/word.ts"), `${word("last")}\nconsole.log("the last was loaded");`);
  await program.printed(/the last was loaded/);
});

test("the error of changed code has the fix at its end, and its stack with -v", async () => {
  const { program, file } = await watchedBot("", "-v");
  writeFileSync(file("bot.ts"), 'import "not-there";');
  await program.printed(/which is not installed\. New sessions run the previous code\. Run: npm install not-there"/);
  writeFileSync(file("bot.ts"), 'function load() {\n  throw new Error("no key");\n}\nload();');
  await program.printed(/no key\. New sessions run the previous code\. .+-v shows the stack\."/);
  await program.printed(/"stack":".*at load \(/);
  rmSync(file("bot.ts"));
  await program.printed(/"bot\.ts does not exist any more\. New sessions run the previous code\. Restore it\."/);
  writeFileSync(file("bot.ts"), "export const bot = () => undefined;");
  await program.printed(/bot\.ts".*bot reloaded/);
});

test("a bot that is broken at the start is an error", async () => {
  const folder = createProject({ "package.json": manifestWithTransport, "bot.ts": "export const bot = ]" });
  const program = startProgram(folder, [bin, "--port", "0", "--watch"]);
  expect(await program.ended).toBe(1);
  expect(program.stderr).toMatch(/^error: bot\.ts:1: .+/);
});

test("--watch: a file that the bot imports during a call is watched too", async () => {
  const folder = createProject({
    "package.json": manifestWithTransport,
    "bot.ts": `export async function bot({ body }) {
  const { word } = await import("./word.ts");
  console.log(body.name + " says " + word());
}`,
    "word.ts": word("one"),
  });
  const program = startProgram(folder, [bin, "--port", "0", "--watch"]);
  const [, url = ""] = await program.printed(/(http:\/\/localhost:[1-9]\d*)/);
  await call(url, { name: "first" });
  await program.printed(/first says one/);
  writeFileSync(join(folder, "word.ts"), word("two"));
  await program.printed(/word\.ts".*bot reloaded/);
  await call(url, { name: "second" });
  await program.printed(/second says two/);
});
