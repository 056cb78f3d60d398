import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadEnvironment } from "./project.ts";
import { createProject } from "./test/temporary-project.ts";

const before = { ...process.env };
beforeEach(() => {
  delete process.env.ENV;
});
afterEach(() => {
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, before);
});

test("the environment wins over .env files, and the bot's folder over its project", () => {
  const folder = createProject({ ".env": "A=project\nB=project\nC=project", "bots/.env": "A=bot\nB=bot" });
  process.env.A = "environment";
  loadEnvironment([join(folder, "bots"), folder]);
  expect(process.env).toMatchObject({ A: "environment", B: "bot", C: "project", ENV: "local" });
});

test("ENV is local unless the environment or a file sets it", () => {
  loadEnvironment([createProject({ ".env": "ENV=staging" })]);
  expect(process.env.ENV).toBe("staging");
});

test("a missing .env is skipped; one that cannot be read is an error", () => {
  const folder = createProject({ "bots/.env/oops": "" });
  loadEnvironment([folder, folder]);
  expect(process.env.ENV).toBe("local");
  expect(() => loadEnvironment([join(folder, "bots")])).toThrow(
    expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringMatching(/^Cannot read .*\.env: /) }),
  );
});
