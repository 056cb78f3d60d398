import { expect, test } from "vitest";
import { findPlugins } from "./find-plugins.ts";
import { findProject } from "./project.ts";
import { createProject } from "./test/temporary-project.ts";

const plugin = (name: string) => `export default { name: "${name}", open() { return { async close() {} }; } };`;
const declared = (path: string, exports?: unknown) =>
  JSON.stringify({ type: "module", exports, pipecatRunner: { plugin: path } });

async function find(files: Readonly<Record<string, string>>, subfolder = "") {
  const folder = createProject(files);
  const { plugins, failures, absent } = await findPlugins(findProject(folder + subfolder));
  return { names: plugins.map(({ name }) => name), failures, absent };
}

test("every kind of dependency that declares a transport brings one, and no other package is loaded", async () => {
  const { names, failures, absent } = await find({
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
  expect(absent).toEqual(["gone"]);
});

test("they are those of the nearest package.json, found as its code would find them", async () => {
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

test("one that fails is told of with a fix, and the rest go on", async () => {
  const { names, failures } = await find({
    "package.json": '{"dependencies": {"throws": "*", "lacks": "*", "empty": "*", "broken": "*", "sound": "*"}}',
    "node_modules/throws/package.json": declared("./p.js"),
    "node_modules/throws/p.js": "throw new Error('no licence\\nsecond line');",
    "node_modules/lacks/package.json": declared("./p.js"),
    "node_modules/empty/package.json": declared("./p.js"),
    "node_modules/empty/p.js": "export default {};",
    "node_modules/broken/package.json": "{",
    "node_modules/sound/package.json": declared("./p.js"),
    "node_modules/sound/p.js": plugin("sound"),
  });
  expect(names).toEqual(["sound"]);
  expect(failures).toMatchObject([
    { name: "throws", reason: "It cannot be loaded: no licence.", fix: expect.stringContaining("Update it") },
    { name: "lacks", reason: expect.stringContaining("cannot be loaded") },
    { name: "empty", reason: expect.stringContaining("no transport plugin as its default export") },
    { name: "broken", reason: expect.stringContaining("package.json cannot be read") },
  ]);
});

test("pipecat-runner.config lists them instead", async () => {
  const { names } = await find({
    "package.json": '{"dependencies": {"one": "*"}}',
    "node_modules/one/package.json": declared("./p.js"),
    "node_modules/one/p.js": plugin("one"),
    "own.mjs": plugin("own"),
    "pipecat-runner.config.mjs": 'import own from "./own.mjs"; export default { plugins: [own] };',
  });
  expect(names).toEqual(["own"]);
});

test("pipecat-runner.config may give the bots' options alone", async () => {
  const folder = createProject({
    "package.json": '{"dependencies": {"one": "*"}}',
    "node_modules/one/package.json": declared("./p.js"),
    "node_modules/one/p.js": plugin("one"),
    "pipecat-runner.config.mjs": "export default { options: { mood: 1 } };",
  });
  const { plugins, botOptions } = await findPlugins(findProject(folder));
  expect([plugins.map(({ name }) => name), botOptions]).toEqual([["one"], { mood: 1 }]);
});

test("a config that is none says what it should be", async () => {
  const config = (content: string) => find({ "package.json": "{}", "pipecat-runner.config.mjs": content });
  await expect(config("export default {};")).rejects.toThrow(/config\.mjs has no list "plugins"/);
  await expect(config("export const plugins = [];")).rejects.toThrow(/has no list "plugins" in its default export/);
  await expect(config("export default { plugins: [], port: 1 };")).rejects.toThrow(/has an unknown key "port"/);
});

test("a broken package.json of the project itself is said", async () => {
  await expect(find({ "package.json": "{ nope" })).rejects.toThrow(/package\.json cannot be read: /);
});
