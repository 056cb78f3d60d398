import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadEnvironment } from "./environment.ts";
import { createProject } from "./test/temporary-project.ts";

const before = { ...process.env };
beforeEach(() => {
  delete process.env.ENV;
});
afterEach(() => {
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, before);
});

test("the environment wins over files, the bot's own folder over its project's", () => {
  const folder = createProject({ ".env": "A=project\nB=project\nC=project", "bots/.env": "A=bot\nB=bot" });
  process.env.A = "environment";
  loadEnvironment([join(folder, "bots"), folder]);
  expect(process.env).toMatchObject({ A: "environment", B: "bot", C: "project", ENV: "local" });
});

test("ENV is local unless it is set, also by a file", () => {
  loadEnvironment([createProject({ ".env": "ENV=staging" })]);
  expect(process.env.ENV).toBe("staging");
});

test("no file is none; one that cannot be read is said", () => {
  const folder = createProject({ "bots/.env/oops": "" });
  loadEnvironment([folder, folder]);
  expect(process.env.ENV).toBe("local");
  expect(() => loadEnvironment([join(folder, "bots")])).toThrow(
    expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringMatching(/\.env cannot be read/) }),
  );
});
