import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { findMessageTexts, messageTextsPage, scan } from "../scripts/message-texts.ts";

// `pnpm messages` prints every text of the command. These tests fail when a text of the source would be missing there.

const root = dirname(import.meta.dirname);
const all = findMessageTexts();
const page = messageTextsPage(all);

test("the document has the text of every error that docs/errors.md explains", () => {
  const documented = [...readFileSync(join(root, "docs/errors.md"), "utf8").matchAll(/^### (\w+)$/gm)].map(
    ([, code]) => code,
  );
  expect(documented.length).toBeGreaterThan(60);
  const shown = new Set([...page.matchAll(/^\| (\w+) \| [^|]*\w/gm)].map(([, code]) => code));
  // INTERNAL is the response to errors that are not the runner's own.
  expect(documented.filter((code) => code !== "INTERNAL" && !shown.has(code))).toEqual([]);
});

test("log lines are lower-case events without a period, and errors are sentences", () => {
  const logs = all.filter(({ kind }) => kind === "log").flatMap(({ texts }) => texts);
  expect(logs.filter((text) => !/^(?:[a-z{?]|WebSocket)/.test(text))).toEqual([]);
  const errors = all.filter(({ kind }) => kind === "error").flatMap(({ texts }) => texts);
  const subjects = ["{file} or a file it imports"]; // of a sentence that follows
  expect(errors.filter((text) => !/[.!?})]$/.test(text))).toEqual(subjects);
});

test("a scan resolves branches, constants, parameters and functions, and ignores comments", () => {
  const source = `
// It's a comment: new RunnerError("NEVER", "Don't find this.").
const fix = "Do this.";
function fail(message: string, name: string): Error {
  return new RunnerError("BODY_INVALID", message, { status: 400, fix });
}
fail(isLong ? \`\${name} is too long.\` : "It is empty.", "a");
logger.warn({ err }, "file not read");
const found = { state: "limited", reason: "The key is not set.", fix: "Set it." };
`;
  expect(scan("a.ts", source).map(({ label, texts, fixes }) => [label, texts, fixes])).toEqual([
    ["BODY_INVALID", ["{name} is too long.", "It is empty."], ["Do this."]],
    ["warn", ["file not read"], []],
    [undefined, ["The key is not set."], ["Set it."]],
  ]);
});
