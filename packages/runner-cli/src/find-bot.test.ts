import { join } from "node:path";
import { expect, test } from "vitest";
import { findBot, looksLikeBot } from "./find-bot.ts";
import { createProject } from "./test/temporary-project.ts";

test("a named file is taken as it is, from the folder it is named in", () => {
  const folder = createProject({ "bot.ts": "", "other/echo.js": "" });
  expect(findBot("other/echo.js", folder)).toBe(join(folder, "other/echo.js"));
  expect(findBot(join(folder, "other/echo.js"), "/")).toBe(join(folder, "other/echo.js"));
});

test("unnamed, it is bot.* here, else in src, TypeScript first", () => {
  const folder = createProject({ "src/bot.ts": "", "bot.mjs": "", "bot.js": "" });
  expect(findBot(undefined, folder)).toBe(join(folder, "bot.js"));
  expect(findBot(undefined, createProject({ "src/bot.mts": "" }))).toMatch(/src\/bot\.mts$/);
});

test("no stray file is ever run", () => {
  const folder = createProject({ "index.ts": "", "robot.ts": "", "bot.tsx": "", "bot.ts/index.ts": "" });
  expect(() => findBot(undefined, folder)).toThrow(
    expect.objectContaining({
      code: "BOT_NOT_FOUND",
      message: expect.stringMatching(/no bot\.ts .*bot\.mts, bot\.js, bot\.mjs.* src/),
    }),
  );
});

test("what is missing is named, and a folder's bot is suggested", () => {
  const folder = createProject({ "echo/bot.ts": "" });
  expect(() => findBot("echo", folder)).toThrow(
    expect.objectContaining({ code: "BOT_NOT_FOUND", fix: expect.stringMatching(/^Did you mean .*echo\/bot\.ts\?$/) }),
  );
  expect(() => findBot("nothing.ts", folder)).toThrow(/There is no file .*nothing\.ts/);
});

test("an argument looks like a bot by its ending", () => {
  expect(["bot.ts", "a/b.mjs", "x.cts", "old.jsx"].every(looksLikeBot)).toBe(true);
  expect(["--config=a.ts", "-x.ts", "websocket", "bot.json"].some(looksLikeBot)).toBe(false);
});
