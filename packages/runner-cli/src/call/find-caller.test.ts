import { expect, test } from "vitest";
import { createProject } from "../test/temporary-project.ts";
import { findCaller } from "./find-caller.ts";

const caller = (name: string) =>
  `export default { apiVersion: 1, name: "${name}", starts: true, open: () => ({ dial() {} }) };`;
const declared = JSON.stringify({
  type: "module",
  exports: { "./caller": { default: "./dist/c.js" } },
  pipecatRunner: { plugin: "./plugin", caller: "./caller" },
});
const project = () =>
  createProject({
    "package.json": JSON.stringify({
      dependencies: { "runner-pigeon": "*", "@scope/runner-raven": "*", library: "*" },
    }),
    "node_modules/runner-pigeon/package.json": declared,
    "node_modules/runner-pigeon/dist/c.js": caller("pigeon"),
    "node_modules/@scope/runner-raven/package.json": declared,
    "node_modules/@scope/runner-raven/dist/c.js": caller("raven"),
    "node_modules/library/package.json": "{}",
  });

test("the caller of a transport is found through package.json, also that of a third party", async () => {
  expect(await findCaller("pigeon", project())).toMatchObject({ name: "pigeon" });
  expect(await findCaller("raven", project())).toMatchObject({ name: "raven" });
});

test.each([
  ["pidgeon", { code: "TRANSPORT_UNAVAILABLE", fix: "Did you mean pigeon?" }],
  [
    "telegraph",
    { code: "TRANSPORT_UNAVAILABLE", fix: "Use one of pigeon, raven, or install the transport's package." },
  ],
  [undefined, { code: "OPTION_INVALID", fix: expect.stringContaining("with one of pigeon, raven.") }],
])("the transport %s is rejected, with the transports that can be called", async (transport, error) => {
  await expect(findCaller(transport, project())).rejects.toMatchObject(error);
});

test("a project without callers, and callers that cannot be loaded, are named", async () => {
  const empty = createProject({ "package.json": "{}" });
  await expect(findCaller("pigeon", empty)).rejects.toMatchObject({
    message: expect.stringMatching(/^No dependency in .*package\.json provides a caller\.$/),
    fix: expect.stringContaining("--project"),
  });
  const broken = (code: string) =>
    createProject({
      "package.json": '{"dependencies": {"runner-pigeon": "*"}}',
      "node_modules/runner-pigeon/package.json": declared,
      "node_modules/runner-pigeon/dist/c.js": code,
    });
  for (const code of [caller("pigeon").replace("apiVersion: 1", "apiVersion: 2"), "throw new Error('broken');"]) {
    await expect(findCaller("pigeon", broken(code))).rejects.toMatchObject({ code: "PLUGIN_INVALID" });
  }
});
