import { once } from "node:events";
import { mkdirSync, symlinkSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { bin, startProgram } from "./test/program.ts";
import { createProject, manifestWithTransport } from "./test/temporary-project.ts";

const bot = `
export const options = { key: { env: "MOOD_KEY", description: "Key of moods", required: true, schema: { type: "string" } } };
export function bot() {}`;

/** Runs doctor, and returns its exit code and its checks by name. */
async function runDoctor(folder: string, argv: readonly string[], env: Record<string, string> = {}) {
  const program = startProgram(folder, [bin, "doctor", ...argv, "--json"], env);
  const code = await program.ended;
  const items = JSON.parse(program.stdout) as { name: string; state: string; reason?: string; fix?: string }[];
  return {
    code,
    items: new Map(items.map((item) => [item.name, item])),
    states: new Set(items.map(({ state }) => state)),
  };
}

async function listen(): Promise<{ port: number; close: () => Promise<unknown> }> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = () => new Promise((resolve) => server.close(resolve));
  onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port, close };
}

test("a project with everything passes: Node, bot, options, port, public URL and the transport's own checks", async () => {
  const folder = createProject({ "package.json": manifestWithTransport, "bot.js": bot });
  const { port, close } = await listen();
  await close();
  const argv = ["--port", `${port}`, "--host", "127.0.0.1", "--public-url", `http://127.0.0.1:${port}`];
  const { code, items, states } = await runDoctor(folder, [...argv, "--api-key", "0123456789abcdef"], {
    MOOD_KEY: "k",
  });
  expect([code, ...states]).toEqual([0, "passed"]);
  expect([...items.keys()]).toEqual([
    `Node ${process.versions.node}`,
    "Project",
    "Bot",
    `Port ${port} on 127.0.0.1`,
    "Access",
    `Public URL http://127.0.0.1:${port}/`,
    "WebSockets through the public URL",
    "fake",
    "fake: voice",
  ]);
});

test("what is missing fails, with a fix for each, and the exit code is 1", async () => {
  const manifest = { type: "module", dependencies: { "fake-transport": "*", "not-installed": "*" } };
  const folder = createProject({ "package.json": JSON.stringify(manifest), "bot.js": bot });
  const { port } = await listen();
  const argv = ["bot.js", "--port", `${port}`, "--host", "127.0.0.1", "-x", "bots.example.com", "--fake-greeting", ""];
  const { code, items } = await runDoctor(folder, argv);
  expect(code).toBe(1);
  expect(items.get("MOOD_KEY")).toMatchObject({
    state: "failed",
    reason: "not set (Key of moods)",
    fix: "Add MOOD_KEY=<value> to .env.",
  });
  expect(items.get("not-installed")).toMatchObject({ state: "failed", fix: "npm install" });
  expect(items.get(`Port ${port} on 127.0.0.1`)).toMatchObject({
    state: "failed",
    reason: expect.stringContaining("in use"),
  });
  expect(items.get("Public URL https://bots.example.com/")).toMatchObject({ state: "skipped" });
  expect(items.get("Access")).toMatchObject({ state: "skipped", fix: expect.stringContaining("--api-key") });
  expect(items.get("fake: voice")).toMatchObject({
    state: "failed",
    reason: "It has no words.",
    fix: "Set --fake-greeting.",
  });
});

test("a port that a runner answers on is skipped, and one of another web server fails", async () => {
  const folder = createProject({ "package.json": manifestWithTransport, "bot.js": "export function bot() {}" });
  let answer = '{"status": "ready", "transports": []}';
  const server = createHttpServer((_, response) => response.end(answer)).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const argv = ["--port", `${port}`, "--host", "127.0.0.1", "--api-key", "0123456789abcdef"];
  const running = await runDoctor(folder, argv);
  expect(running.code).toBe(0);
  expect(running.items.get(`Port ${port} on 127.0.0.1`)).toMatchObject({
    state: "skipped",
    reason: "in use by a running runner",
  });
  expect(running.items.get("Access")).toMatchObject({ detail: "requires the API key" });
  answer = "<h1>It works!</h1>";
  const other = await runDoctor(folder, argv);
  expect([other.code, other.items.get(`Port ${port} on 127.0.0.1`)?.state]).toEqual([1, "failed"]);
});

test("a bot that cannot be loaded fails with its line, and the other checks run", async () => {
  const folder = createProject({
    "package.json": manifestWithTransport,
    "bot.js": "export function bot() {}\nthrow new Error('broken');",
  });
  const program = startProgram(folder, [bin, "doctor", "--port", "0"]);
  expect(await program.ended).toBe(1);
  expect(program.stdout).toMatch(/✗ Bot: bot\.js:2: .*broken.*\n {4}→ Correct that line/);
  expect(program.stdout).toContain("✓ fake: ready");
});

test("a bot whose file takes longer than 5 s to load passes", async () => {
  const folder = createProject({
    "package.json": manifestWithTransport,
    "bot.js": "await new Promise((resolve) => setTimeout(resolve, 5_500));\nexport function bot() {}",
  });
  const { code, items } = await runDoctor(folder, ["--port", "0"]);
  expect([code, items.get("Bot")?.state]).toEqual([0, "passed"]);
});

test.each([
  [["--runner-body", "nothing.yaml"], /nothing\.yaml cannot be read/],
  [["--worker-sessions", "3"], /configures child processes/],
  [["--fleet", "redis://127.0.0.1:1"], /requires PIPECAT_FLEET_SECRET/],
  [["--tunnel", "--direct"], /--tunnel and --direct cannot be combined/],
])("options with which the runner does not start fail: %j", async (argv, reason) => {
  const folder = createProject({ "package.json": manifestWithTransport, "bot.js": "export function bot() {}" });
  const { code, items } = await runDoctor(folder, argv);
  expect(code).toBe(1);
  expect(items.get("Options")).toMatchObject({ state: "failed", reason: expect.stringMatching(reason) });
});

test.each([
  [["--fleet", "http://127.0.0.1"], /is not the URL of a directory/, /Use redis:/],
  [["--fleet", "redis://127.0.0.1:1", "--fleet-listen", "1:2:3"], /"1:2:3" is not an address/, /Use host:port/],
  [["--fleet", "redis://127.0.0.1:1", "--fleet-listen", "127.0.0.1:0"], /does not answer: .*ECONNREFUSED/, /--fleet/],
])("a fleet that this machine cannot join fails, with a fix: %j", async (argv, reason, fix) => {
  const folder = createProject({ "package.json": manifestWithTransport, "bot.js": "export function bot() {}" });
  if (argv.includes("--fleet-listen")) {
    mkdirSync(join(folder, "node_modules/@pipecat-ts"));
    const target = join(import.meta.dirname, "../../runner-fleet-redis");
    symlinkSync(target, join(folder, "node_modules/@pipecat-ts/runner-fleet-redis"));
  }
  const env = { PIPECAT_FLEET_SECRET: "a secret with more than 32 characters" };
  const { code, items } = await runDoctor(folder, argv, env);
  expect(code).toBe(1);
  expect(items.get("Fleet")).toMatchObject({
    state: "failed",
    reason: expect.stringMatching(reason),
    fix: expect.stringMatching(fix),
  });
});
