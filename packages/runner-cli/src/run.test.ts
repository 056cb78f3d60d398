import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { bin, call, startProgram } from "./test/program.ts";
import { createProject, toyManifest } from "./test/temporary-project.ts";

// Real processes on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

/** Prints what it was given, and that its file was evaluated. */
const printingBot = `
import { main } from "pipecat-runner";
console.log("evaluated");
export async function bot(args: { body: unknown; cliArgs: object }) {
  console.log("called " + JSON.stringify({ body: args.body, cliArgs: args.cliArgs, env: process.env.ENV, key: process.env.KEY, own: process.env.OWN }));
}
await main(import.meta);
`;

test("a bot is found, run once for a caller, and given its body, flags and .env", async () => {
  const folder = createProject({
    "package.json": JSON.stringify({
      type: "module",
      dependencies: { "toy-transport": "*", "broken-transport": "*", "pipecat-runner": "*", "some-library": "*" },
    }),
    "node_modules/broken-transport/package.json": '{"pipecatRunner": {"plugin": "./plugin.mjs"}}',
    "node_modules/broken-transport/plugin.mjs": 'import "not-there"; export default {};',
    "node_modules/some-library/package.json": "{}",
    ".env": "KEY=from-file\nOWN=from-file\nTOY_GREETING=from-file",
    "src/bot.ts": printingBot,
  });
  const argv = ["--port", "0", "--toy-loud", "--toy-digits", "+0049", "--", "/extra.ts"];
  const program = startProgram(folder, [bin, ...argv], { OWN: "from-environment" });

  const [, url = ""] = await program.printed(/(http:\/\/localhost:[1-9]\d*)(?:.|\n)*\n\n/);
  expect(program.stdout).toContain("runs src/bot.ts");
  expect(program.stdout).toMatch(/toy +ready\n +POST http:\/\/localhost:[1-9]\d*\/start/);
  expect(program.stdout).toMatch(
    /broken-transport +off\n +It cannot be loaded: Cannot find package 'not-there'\.\n +Install again: npm install\n/,
  );

  await call(url, { wish: "tea" });
  const [, facts = ""] = await program.printed(/called (.+)\n/);
  expect(JSON.parse(facts)).toEqual({
    body: { wish: "tea", options: { greeting: "from-file", digits: "+0049", loud: true } },
    cliArgs: { port: 0, toyLoud: true, toyDigits: "+0049", "--": ["/extra.ts"] },
    env: "local",
    key: "from-file",
    own: "from-environment",
  });

  program.signal("SIGINT");
  expect(await program.ended).toBe(0);
  expect(program.stdout.match(/evaluated/g)).toHaveLength(1);
  expect(program.stdout.match(/runs src\/bot\.ts/g)).toHaveLength(1);
  expect(program.stderr).toBe("");
});

test("`node bot.ts` runs the same file, once, also where Node has no import.meta.main", async () => {
  const folder = createProject({
    "package.json": toyManifest,
    "my bot#1.ts": printingBot.replace("main(import.meta)", "main({ url: import.meta.url })"),
  });
  const program = startProgram(folder, [join(folder, "my bot#1.ts"), "--port", "0"], { ENV: "staging" });
  const [, url = ""] = await program.printed(/(http:\/\/localhost:[1-9]\d*)/);
  await call(url);
  const [, facts = ""] = await program.printed(/called (.+)\n/);
  expect(JSON.parse(facts)).toMatchObject({ cliArgs: { port: 0 }, env: "staging" });
  expect(program.stdout.match(/evaluated/g)).toHaveLength(1);
  program.signal("SIGTERM");
  expect(await program.ended).toBe(0);
});

test("with -d one bot runs without a server, and the program ends with it, or leaves at Ctrl-C", async () => {
  const folder = createProject({ "package.json": toyManifest, "bot.ts": printingBot });
  const direct = startProgram(folder, [bin, "-d", "--no-toy-loud"]);
  expect(await direct.ended).toBe(0);
  expect(direct.stdout).toMatch(/called {"body":{"direct":true,.*"cliArgs":{"direct":true,"toyLoud":false}/);
  expect(direct.stdout).not.toContain("http://");

  const waiting = createProject({
    "package.json": toyManifest,
    "bot.mjs":
      'export const bot = ({ signal }) => new Promise((leave) => { console.log("runs"); signal.addEventListener("abort", () => { console.log("leaves"); leave(); }); });',
  });
  const interrupted = startProgram(waiting, [bin, "--direct", "-t", "toy"]);
  await interrupted.printed(/runs/);
  interrupted.signal("SIGINT");
  expect(await interrupted.ended).toBe(0);
  expect(interrupted.stdout).toContain("leaves");

  const other = startProgram(folder, [bin, "-d", "-t", "webrtc"]);
  expect(await other.ended).toBe(1);
  expect(other.stderr).toContain('No transport "webrtc" is installed.');
});

test("a command line that cannot be run ends with 1 and one line that says why and what to do", async () => {
  const folder = createProject({ "package.json": toyManifest, "bot.ts": "export const bot = () => {};" });
  const bare = createProject({ "package.json": "{}", "bot.mjs": "export const bot = () => {};" });
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as { port: number };

  const complaint = async (where: string, ...argv: string[]) => {
    const program = startProgram(where, [bin, ...argv]);
    expect(await program.ended).toBe(1);
    expect(program.stdout).toBe("");
    expect(program.stderr).toMatch(/^error: .+\n$/);
    return program.stderr;
  };
  const [flag, transport, inUse, nobody, missing] = await Promise.all([
    complaint(folder, "--toy-greetin", "x"),
    complaint(folder, "--port", "0", "-t", "carrier-pigeon"),
    complaint(folder, "--port", `${port}`),
    complaint(bare, "--port", "0"),
    complaint(folder, "other.ts"),
  ]);
  taken.close();
  expect(flag).toBe("error: There is no flag --toy-greetin. Did you mean --toy-greeting?\n");
  expect(transport).toMatch(/No transport "carrier-pigeon" is installed\. Installed: "toy"\./);
  expect(inUse).toMatch(new RegExp(`Port ${port} is in use .+--port`));
  expect(nobody).toMatch(/No transport is installed.+npm i @pipecat-ts\/runner-/);
  expect(missing).toMatch(/There is no file other\.ts\./);
});

test("-v shows where an expected error comes from", async () => {
  const folder = createProject({ "package.json": toyManifest, "bot.ts": "export const bot = () => {};" });
  const program = startProgram(folder, [bin, "-v", "other.ts"]);
  expect(await program.ended).toBe(1);
  expect(program.stderr).toMatch(/BOT_NOT_FOUND/);
  expect(program.stderr).toMatch(/\n +at .*find-bot/);
});

test("--help groups the transports' flags and --version prints the version", async () => {
  const folder = createProject({ "package.json": toyManifest });
  const help = startProgram(folder, [bin, "--help"]);
  const version = startProgram(folder, [bin, "--version"]);
  expect(await help.ended).toBe(0);
  expect(help.stdout).toMatch(/\nOptions:\n {6}--host <address> (?:.|\n)+\ntoy:\n {6}--toy-greeting <words> .+\n/);
  expect(await version.ended).toBe(0);
  expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});
