import { expect, test } from "vitest";
import { restartArguments } from "./restart.ts";

test("a restart opens no browser, and the bot keeps its arguments", () => {
  const argv = ["main.js", "bot.js", "--open", "--port", "1", "--", "--open"];
  expect(restartArguments(argv)).toEqual(["main.js", "bot.js", "--port", "1", "--", "--open"]);
});
