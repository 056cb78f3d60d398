import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findProject } from "./project.ts";
import { createProject, manifestWithTransport } from "./test/temporary-project.ts";
import { refreshTypeFile, writeTypeFile } from "./type-file.ts";

const content = `// Written by "pipecat-runner types", and at each start: the types of the transports in package.json.
import type {} from "fake-transport";
`;

test("imports the installed transports of the project, and is written only when it changes", () => {
  const folder = createProject({ "package.json": manifestWithTransport, "src/bot.ts": "" });
  const file = join(folder, "pipecat-env.d.ts");
  expect(writeTypeFile(join(folder, "src"))).toEqual({ file, packages: ["fake-transport"], changed: true });
  expect(readFileSync(file, "utf8")).toBe(content);
  const { mtimeNs } = statSync(file, { bigint: true });
  expect(writeTypeFile(folder).changed).toBe(false);
  expect(statSync(file, { bigint: true }).mtimeNs).toBe(mtimeNs);
});

test("a start updates the file, but does not create it", () => {
  const folder = createProject({ "package.json": manifestWithTransport });
  const file = join(folder, "pipecat-env.d.ts");
  expect(refreshTypeFile(findProject(folder))).toBeUndefined();
  expect(existsSync(file)).toBe(false);
  writeFileSync(file, "");
  expect(refreshTypeFile(findProject(folder))).toMatchObject({ changed: true });
  expect(readFileSync(file, "utf8")).toBe(content);
});

test("errors say what to do", () => {
  const folder = createProject({ "package.json": '{"dependencies": {"missing-transport": "*"}}' });
  expect(() => writeTypeFile(folder)).toThrow(expect.objectContaining({ code: "TRANSPORT_UNAVAILABLE" }));
  const blocked = createProject({ "package.json": manifestWithTransport, "pipecat-env.d.ts/folder": "" });
  expect(() => writeTypeFile(blocked)).toThrow(
    expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringMatching(/^Cannot write .*EISDIR/) }),
  );
});
