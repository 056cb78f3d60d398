import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { bin, call, startProgram } from "./test/program.ts";
import { createProject, manifestWithTransport } from "./test/temporary-project.ts";

/** Prints what it was given, and that its file was evaluated. */
const printingBot = `
import { main } from "pipecat-runner";
console.log("evaluated");
export async function bot(args: { body: unknown; cliArgs: object }) {
  console.log("called " + JSON.stringify({ body: args.body, cliArgs: args.cliArgs, env: process.env.ENV, key: process.env.KEY, own: process.env.OWN }));
}
await main(import.meta);
`;

test("a bot is found and runs once per caller, with its body, flags and .env", async () => {
  const folder = createProject({
    "package.json": JSON.stringify({
      type: "module",
      dependencies: { "fake-transport": "*", "broken-transport": "*", "pipecat-runner": "*", "some-library": "*" },
    }),
    "node_modules/broken-transport/package.json": '{"pipecatRunner": {"plugin": "./plugin.mjs"}}',
    "node_modules/broken-transport/plugin.mjs": 'import "not-there"; export default {};',
    "node_modules/some-library/package.json": "{}",
    ".env": "KEY=from-file\nOWN=from-file\nFAKE_GREETING=from-file",
    "src/bot.ts": printingBot,
  });
  const argv = ["--port", "0", "--fake-loud", "--fake-digits", "+0049", "--", "/extra.ts"];
  const program = startProgram(folder, [bin, ...argv], { OWN: "from-environment" });

  const [, url = ""] = await program.printed(/(http:\/\/localhost:[1-9]\d*)(?:.|\n)*\n\n/);
  expect(program.stderr).toContain("runs src/bot.ts");
  expect(program.stderr).toMatch(/fake +ready\n +POST http:\/\/localhost:[1-9]\d*\/start/);
  expect(program.stderr).toMatch(
    /broken-transport +off\n +Cannot load it: Cannot find package 'not-there'\.\n +→ Run: npm install\n/,
  );

  await call(url, { wish: "tea" });
  const [, facts = ""] = await program.printed(/called (.+)\n/);
  expect(JSON.parse(facts)).toEqual({
    body: { wish: "tea", options: { greeting: "from-file", digits: "+0049", loud: true } },
    cliArgs: { port: 0, fakeLoud: true, fakeDigits: "+0049", "--": ["/extra.ts"] },
    env: "local",
    key: "from-file",
    own: "from-environment",
  });

  program.signal("SIGINT");
  expect(await program.ended).toBe(0);
  expect(program.stderr.match(/evaluated/g), "what the bot prints goes to stderr").toHaveLength(1);
  expect(program.stderr.match(/runs src\/bot\.ts/g)).toHaveLength(1);
  for (const line of program.stdout.trimEnd().split("\n")) expect(JSON.parse(line)).toHaveProperty("msg");
});

test("`node bot.ts` runs the same file, also without import.meta.main", async () => {
  const folder = createProject({
    "package.json": manifestWithTransport,
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

test.each([
  ["is 8 MB", undefined, 8],
  ["has the size that Node's flag allows", "--max-semi-space-size=16", 32],
])("the young generation of a busy program %s", async (_, options, megabytes) => {
  const busyBot = `
import { main } from "pipecat-runner";
const kept: object[] = [];
for (const endMs = Date.now() + 1_000; Date.now() < endMs; ) kept[kept.length % 50_000] = { text: "x".repeat(kept.length % 10) };
export async function bot() {}
await main(import.meta);
`;
  const folder = createProject({ "package.json": manifestWithTransport, "bot.ts": busyBot });
  const program = startProgram(folder, [bin, "--port", "0"], options === undefined ? {} : { NODE_OPTIONS: options });
  const [, url = ""] = await program.printed(/(http:\/\/localhost:[1-9]\d*)/);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const [, size] = /^nodejs_heap_space_size_total_bytes\{space="new"\} (\d+)$/m.exec(metrics) ?? [];
  expect(Number(size) / 1_048_576).toBe(megabytes);
  program.signal("SIGTERM");
  expect(await program.ended).toBe(0);
});

test("a worker has loaded the code of fetch before its first request, and the gateway never loads it", async () => {
  const folder = createProject({
    "package.json": manifestWithTransport,
    "bot.ts": printingBot,
    "hook.mjs": `
      import { writeFileSync } from "node:fs";
      const isLoaded = () => process.moduleLoadList.some((name) => name.includes("undici"));
      process.on("exit", () => writeFileSync(process.pid + ".loaded", String(isLoaded())));
    `,
  });
  const hook = pathToFileURL(join(folder, "hook.mjs")).href;
  const program = startProgram(folder, [bin, "--port", "0", "--isolation", "process"], {
    NODE_OPTIONS: `--import=${hook}`,
  });
  await program.printed(/http:\/\/localhost:[1-9]\d*/);
  program.signal("SIGTERM");
  expect(await program.ended).toBe(0);
  const files = readdirSync(folder).filter((name) => name.endsWith(".loaded"));
  const [gateway, ...workers] = files.map((name) => readFileSync(join(folder, name), "utf8")).sort();
  expect([gateway, new Set(workers)]).toEqual(["false", new Set(["true"])]);
});

test.each(["SIGINT", "SIGTERM"] as const)("%s while a worker loads the bot ends without an error", async (signal) => {
  const folder = createProject({
    "package.json": manifestWithTransport,
    "bot.mjs": `
      console.log("loads");
      await new Promise((resolve) => setTimeout(resolve, 60_000));
      export const bot = () => undefined;
    `,
  });
  const program = startProgram(folder, [bin, "--port", "0", "--isolation", "process"]);
  await program.printed(/loads/);
  program.signal(signal);
  expect([await program.ended, program.stderr]).toEqual([0, "loads\n"]);
});

test("the first worker writes the cache of compiled code, with which the next ones start faster", async () => {
  const folder = createProject({ "package.json": manifestWithTransport, "bot.ts": printingBot });
  const cache = join(folder, "cache");
  const flags = ["--port", "0", "--isolation", "process"];
  const program = startProgram(folder, [bin, ...flags], { NODE_COMPILE_CACHE: cache });
  await program.printed(/http:\/\/localhost:[1-9]\d*/);
  expect(readdirSync(cache, { recursive: true }).length).toBeGreaterThan(50);
  program.signal("SIGTERM");
  expect(await program.ended).toBe(0);
});

test.each([
  ["-u", { PIPECAT_UPLOADS_FOLDER: "unused" }],
  ["PIPECAT_UPLOADS_FOLDER", { PIPECAT_UPLOADS_FOLDER: "in" }],
])("%s names the folder of uploads, and --uploads-folder-max-files how many stay", async (name, env) => {
  const folder = createProject({ "package.json": manifestWithTransport, "bot.ts": printingBot });
  const flags = [...(name === "-u" ? ["-u", "in"] : []), "--uploads-folder-max-files", "2"];
  const program = startProgram(folder, [bin, "--port", "0", ...flags], env);
  const [, url = ""] = await program.printed(/(http:\/\/localhost:[1-9]\d*)/);
  for (let index = 0; index < 3; index++) {
    const body = new FormData();
    body.set("file", new Blob(["x"]), "x.txt");
    expect((await fetch(new URL("/files", url), { method: "POST", body })).status).toBe(200);
  }
  expect(readdirSync(join(folder, "in"))).toHaveLength(2);
});

test("a former name of a transport selects it, with a warning", async () => {
  const folder = createProject({ "package.json": manifestWithTransport, "bot.ts": printingBot });
  const program = startProgram(folder, [bin, "--port", "0", "-t", "forgery"]);
  const [, url = ""] = await program.printed(/(http:\/\/localhost:[1-9]\d*)/);
  expect(program.stdout).toMatch(/"transport":"forgery","fix":"Use --transport fake\.".*deprecated name/);
  await call(url);
  await program.printed(/called /);
});

test("--direct runs one bot without a server, until it returns or SIGINT arrives", async () => {
  const folder = createProject({ "package.json": manifestWithTransport, "bot.ts": printingBot });
  const direct = startProgram(folder, [bin, "-d", "--no-fake-loud"]);
  const other = startProgram(folder, [bin, "-d", "-t", "webrtc"]);
  expect(await direct.ended).toBe(0);
  expect(direct.stderr).toMatch(
    /^evaluated\ncalled {"body":{"direct":true,.*"cliArgs":{"direct":true,"fakeLoud":false}.*\n$/,
  );

  const waiting = createProject({
    "package.json": manifestWithTransport,
    "bot.mjs":
      'export const bot = ({ signal }) => new Promise((leave) => { console.log("runs"); signal.addEventListener("abort", () => { console.log("leaves"); leave(); }); });',
  });
  const interrupted = startProgram(waiting, [bin, "--direct", "-t", "fake"]);
  await interrupted.printed(/runs/);
  interrupted.signal("SIGINT");
  expect(await interrupted.ended).toBe(0);
  expect(interrupted.stderr).toContain("leaves");

  expect(await other.ended).toBe(1);
  expect(other.stderr).toContain('The transport "webrtc" is not installed.');
});

test("a bot of --direct that fails exits with 1", async () => {
  const folder = createProject({
    "package.json": manifestWithTransport,
    "bot.mjs": 'export const bot = () => Promise.reject(new Error("no key"));',
  });
  const program = startProgram(folder, [bin, "--direct"]);
  expect(await program.ended).toBe(1);
  expect(program.stdout).toContain("no key");
});

test("an invalid command line exits with 1 and prints one line with the reason and the fix", async () => {
  const folder = createProject({ "package.json": manifestWithTransport, "bot.ts": "export const bot = () => {};" });
  const bare = createProject({ "package.json": "{}", "bot.mjs": "export const bot = () => {};" });
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as { port: number };

  const errorOf = async (where: string, ...argv: string[]) => {
    const program = startProgram(where, [bin, ...argv]);
    expect(await program.ended).toBe(1);
    expect(program.stdout).toBe("");
    expect(program.stderr).toMatch(/^error: .+\n$/);
    return program.stderr;
  };
  const [flag, transport, inUse, nobody, missing] = await Promise.all([
    errorOf(folder, "--fake-greetin", "x"),
    errorOf(folder, "--port", "0", "-t", "carrier-pigeon"),
    errorOf(folder, "--port", `${port}`),
    errorOf(bare, "--port", "0"),
    errorOf(folder, "other.ts"),
  ]);
  taken.close();
  expect(flag).toBe("error: --fake-greetin is not a flag. Did you mean --fake-greeting?\n");
  expect(transport).toMatch(/The transport "carrier-pigeon" is not installed\. Installed: "fake"\./);
  expect(inUse).toMatch(new RegExp(`Port ${port} is in use .+--port`));
  expect(nobody).toMatch(/No transport is installed.+npm i @pipecat-ts\/runner-/);
  expect(missing).toMatch(/Cannot find the file other\.ts\./);
});

test("-v shows the stack of a RunnerError", async () => {
  const folder = createProject({ "package.json": manifestWithTransport, "bot.ts": "export const bot = () => {};" });
  const program = startProgram(folder, [bin, "-v", "other.ts"]);
  expect(await program.ended).toBe(1);
  expect(program.stderr).toMatch(/BOT_NOT_FOUND/);
  expect(program.stderr).toMatch(/\n +at .*bot-file/);
});

test("--help groups the flags by transport and --version prints the version", async () => {
  const folder = createProject({ "package.json": manifestWithTransport });
  const help = startProgram(folder, [bin, "--help"]);
  const version = startProgram(folder, [bin, "--version"]);
  expect(await help.ended).toBe(0);
  expect(help.stdout).toMatch(/\nOptions:\n {6}--host <address> (?:.|\n)+\nfake:\n {6}--fake-greeting <words> .+\n/);
  expect(await version.ended).toBe(0);
  expect(version.stdout).toMatch(/^pipecat-runner\/\d+\.\d+\.\d+ \S+ node-v\d+\.\d+\.\d+\n$/);
});

test("--runner-body is the body for callers without one, and --folder serves files", async () => {
  const folder = createProject({
    "package.json": manifestWithTransport,
    "body.json": '{"user": "anna"}',
    "body.yaml": "user: &user anna\nfriends: [*user]",
    "out/a.txt": "hello",
    "bot.js": `export const bot = ({ body }) => console.log("body " + JSON.stringify(body));`,
  });
  const argv = [bin, "--port", "0", "--runner-body", "body.json", "-f", "out"];
  const program = startProgram(folder, argv);
  const withYaml = startProgram(folder, [bin, "--port", "0", "--runner-body", "body.yaml"]);
  const [, url = ""] = await program.printed(/(http:\/\/localhost:[1-9]\d*)/);
  await fetch(new URL("/start", url), { method: "POST", body: '{"transport": "fake"}' });
  await program.printed(/body .*"user":"anna"/);
  expect(await (await fetch(new URL("/files/a.txt", url))).text()).toBe("hello");
  const [, yamlUrl = ""] = await withYaml.printed(/(http:\/\/localhost:[1-9]\d*)/);
  await fetch(new URL("/start", yamlUrl), { method: "POST", body: '{"transport": "fake"}' });
  await withYaml.printed(/body .*"user":"anna","friends":\["anna"\]/);
  program.signal("SIGINT");
  expect(await program.ended).toBe(0);

  writeFileSync(join(folder, "body.json"), "{");
  const broken = startProgram(folder, argv);
  const missing = startProgram(folder, [bin, "--port", "0", "-f", "nowhere"]);
  expect(await Promise.all([broken.ended, missing.ended])).toEqual([1, 1]);
  expect(broken.stderr).toMatch(/--runner-body: body\.json:1:2 cannot be read: /);
  expect(missing.stderr).toMatch(/--downloads-folder.*"nowhere"/);
});
