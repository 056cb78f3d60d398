import { symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findPlugins } from "./plugins.ts";
import { findProject } from "./project.ts";
import { createProject } from "./test/temporary-project.ts";

const plugin = (name: string, apiVersion = 1) =>
  `export default { apiVersion: ${apiVersion}, name: "${name}", open() { return {}; } };`;
const declared = (path: string, exports?: unknown) =>
  JSON.stringify({ type: "module", exports, pipecatRunner: { plugin: path } });

const { version: ownCore } = createRequire(import.meta.url)("../../runner-core/package.json") as { version: string };

async function find(files: Readonly<Record<string, string>>, subfolder = "") {
  const folder = createProject(files);
  const { plugins, failures, missing, duplicates } = await findPlugins(findProject(folder + subfolder));
  return { names: plugins.map(({ name }) => name), failures, missing, duplicates };
}

test("every dependency that declares a transport is loaded, and no other package", async () => {
  const { names, failures, missing } = await find({
    "package.json": JSON.stringify({
      dependencies: { one: "*", library: "*", gone: "*" },
      devDependencies: { "@scope/two": "*" },
      optionalDependencies: { three: "*" },
    }),
    "node_modules/one/package.json": declared("./plugin", {
      "./plugin": { types: "./plugin.d.ts", import: { default: "./dist/p.js" } },
    }),
    "node_modules/one/dist/p.js": plugin("one"),
    "node_modules/@scope/two/package.json": declared("./plugin", { "./plugin": "./p.js" }),
    "node_modules/@scope/two/p.js": plugin("two"),
    "node_modules/three/package.json": declared("./p.js"),
    "node_modules/three/p.js": plugin("three"),
    "node_modules/library/package.json": '{"main": "./index.js"}',
    "node_modules/library/index.js": "throw new Error('loaded');",
    "node_modules/not-a-dependency/package.json": declared("./p.js"),
    "node_modules/not-a-dependency/p.js": plugin("stray"),
  });
  expect(names).toEqual(["one", "two", "three"]);
  expect(failures).toEqual([]);
  expect(missing).toEqual(["gone"]);
});

test("the nearest package.json counts, and its dependencies are resolved as Node resolves them", async () => {
  const { names } = await find(
    {
      "package.json": '{"dependencies": {"outer": "*"}}',
      "apps/echo/package.json": '{"dependencies": {"hoisted": "*"}}',
      "apps/echo/src/bot.ts": "",
      "node_modules/hoisted/package.json": declared("./p.js"),
      "node_modules/hoisted/p.js": plugin("hoisted"),
    },
    "/apps/echo/src",
  );
  expect(names).toEqual(["hoisted"]);
});

test("a transport that fails to load is reported with a fix, and the others load", async () => {
  const { names, failures } = await find({
    "package.json":
      '{"dependencies": {"throws": "*", "lacks": "*", "empty": "*", "broken": "*", "old": "*", "valid": "*"}}',
    "node_modules/throws/package.json": declared("./p.js"),
    "node_modules/throws/p.js": "throw new Error('no licence\\nsecond line');",
    "node_modules/lacks/package.json": declared("./p.js"),
    "node_modules/empty/package.json": declared("./p.js"),
    "node_modules/empty/p.js": "export default {};",
    "node_modules/broken/package.json": "{",
    "node_modules/old/package.json": declared("./p.js"),
    "node_modules/old/p.js": plugin("old", 0),
    "node_modules/valid/package.json": declared("./p.js"),
    "node_modules/valid/p.js": plugin("valid"),
  });
  expect(names).toEqual(["valid"]);
  expect(failures).toMatchObject([
    { name: "throws", reason: "Cannot load it: no licence.", fix: expect.stringContaining("Update it") },
    { name: "lacks", reason: expect.stringContaining("Cannot load it") },
    { name: "empty", reason: expect.stringContaining("empty does not export a transport plugin") },
    { name: "broken", reason: expect.stringMatching(/^Cannot read .*package.json: /) },
    {
      name: "old",
      reason: 'The transport "old" (old) is written for contract version 0; this runner supports version 1.',
      fix: "Update the package old.",
    },
  ]);
});

test("pipecat-runner.config replaces the dependencies", async () => {
  const { names } = await find({
    "package.json": '{"dependencies": {"one": "*"}}',
    "node_modules/one/package.json": declared("./p.js"),
    "node_modules/one/p.js": plugin("one"),
    "own.mjs": plugin("own"),
    "pipecat-runner.config.mjs": 'import own from "./own.mjs"; export default { plugins: [own] };',
  });
  expect(names).toEqual(["own"]);
});

test("pipecat-runner.config may declare options only", async () => {
  const folder = createProject({
    "package.json": '{"dependencies": {"one": "*"}}',
    "node_modules/one/package.json": declared("./p.js"),
    "node_modules/one/p.js": plugin("one"),
    "pipecat-runner.config.mjs": "export default { options: { mood: 1 } };",
  });
  const { plugins, botOptions } = await findPlugins(findProject(folder));
  expect([plugins.map(({ name }) => name), botOptions]).toEqual([["one"], { mood: 1 }]);
});

test("an invalid config is an error", async () => {
  const config = (content: string) => find({ "package.json": "{}", "pipecat-runner.config.mjs": content });
  await expect(config("export default {};")).rejects.toThrow(/config\.mjs has no list "plugins"/);
  await expect(config("export const plugins = [];")).rejects.toThrow(/has no list "plugins" in its default export/);
  await expect(config("export default { plugins: [], port: 1 };")).rejects.toThrow(/has an unknown key "port"/);
  await expect(config('export default { plugins: [{ apiVersion: 9, name: "next", open() {} }] };')).rejects.toThrow(
    /"next" \(A plugin in .*config\.mjs\) is written for contract version 9/,
  );
});

test("a broken package.json of the project is an error", async () => {
  await expect(find({ "package.json": "{ nope" })).rejects.toThrow(/^Cannot read .*package\.json: /);
});

const core = (version: string) => JSON.stringify({ name: "@pipecat-ts/runner-core", version });

test.each([
  ["another version", "9.9.9", {}, "Run: npm install pipecat-runner@latest one@latest"],
  ["another version, with pnpm", "9.9.9", { "pnpm-lock.yaml": "" }, "Run: pnpm add pipecat-runner@latest one@latest"],
  ["the same version", ownCore, {}, "Run: npm dedupe"],
])("a second copy of runner-core is reported: %s", async (_, version, files, fix) => {
  const { names, duplicates } = await find({
    ...files,
    "package.json": '{"dependencies": {"one": "*"}}',
    "node_modules/one/package.json": declared("./p.js"),
    "node_modules/one/p.js": plugin("one"),
    "node_modules/one/node_modules/@pipecat-ts/runner-core/package.json": core(version),
  });
  expect(names).toEqual(["one"]);
  const reason = `one uses another copy of @pipecat-ts/runner-core: ${version} in `;
  expect(duplicates).toEqual([{ name: "one", fix, reason: expect.stringContaining(reason) }]);
  expect(duplicates[0]?.reason).toMatch(new RegExp(`the runner uses ${ownCore.replaceAll(".", "\\.")}\\.$`));
});

test("a transport that uses the runner's own copy of runner-core is not reported", async () => {
  const folder = createProject({
    "package.json": '{"dependencies": {"one": "*"}}',
    "node_modules/one/package.json": declared("./p.js"),
    "node_modules/one/p.js": plugin("one"),
    "node_modules/@pipecat-ts/.keep": "",
  });
  const core = join(import.meta.dirname, "../../runner-core");
  symlinkSync(core, join(folder, "node_modules/@pipecat-ts/runner-core"));
  const { plugins, duplicates } = await findPlugins(findProject(folder));
  expect([plugins.map(({ name }) => name), duplicates]).toEqual([["one"], []]);
});
