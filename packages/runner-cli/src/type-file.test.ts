import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "@pipecat-ts/runner-core";
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
  const logged: string[] = [];
  const log = (_: object, message: string) => void logged.push(message);
  const logger = { info: log, warn: log } as never as Logger;
  refreshTypeFile(findProject(folder), logger);
  expect(existsSync(file)).toBe(false);
  writeFileSync(file, "");
  refreshTypeFile(findProject(folder), logger);
  refreshTypeFile(findProject(folder), logger);
  expect(readFileSync(file, "utf8")).toBe(content);
  const blocked = createProject({ "package.json": manifestWithTransport, "pipecat-env.d.ts/folder": "" });
  refreshTypeFile(findProject(blocked), logger);
  expect(logged).toEqual(["types written", "types not written"]);
});

test("errors say what to do", () => {
  expect(() => writeTypeFile(".", ["foo"])).toThrow(
    expect.objectContaining({ code: "OPTION_INVALID", message: 'Unexpected argument "foo" after "types".' }),
  );
  const folder = createProject({ "package.json": '{"dependencies": {"missing-transport": "*"}}' });
  expect(() => writeTypeFile(folder)).toThrow(expect.objectContaining({ code: "TRANSPORT_UNAVAILABLE" }));
  const blocked = createProject({ "package.json": manifestWithTransport, "pipecat-env.d.ts/folder": "" });
  expect(() => writeTypeFile(blocked)).toThrow(
    expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringMatching(/^Cannot write .*EISDIR/) }),
  );
});
