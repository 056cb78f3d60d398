import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { findMessageTexts, messageTextsPage, scan } from "../scripts/message-texts.ts";

// `pnpm messages` prints every text of the command. These tests fail when a text of the source would be missing there.

const root = dirname(import.meta.dirname);
const all = findMessageTexts();
const page = messageTextsPage(all);

/** Errors that pass on the text of another error, which is in the document or comes from Node. */
const passedOn = [
  "packages/runner-cli/src/call/place-call.ts",
  "packages/runner-cli/src/watch.ts",
  "packages/runner-daily/src/api.ts",
  "packages/runner-gateway/src/worker-process.ts",
  "packages/runner-host/src/sockets.ts",
  "packages/runner-telephony/src/caller/phone-caller.ts",
];

test("the document has the text of every error and log line, or the error passes on another one", () => {
  const without = all.filter(({ kind, texts }) => kind !== "status" && texts.length === 0);
  expect(without.map(({ file }) => file)).toEqual(passedOn);
  for (const { texts } of all) for (const text of texts) expect(page).toContain(text.replaceAll("|", "\\|"));
});

test("the document has every error of the source", () => {
  const sources = globSync("packages/*/src/**/*.ts", { cwd: root }).filter(
    (file) => !/\.test\.ts$|\/test\/|runner-testing|create-pipecat-bot/.test(file),
  );
  const written = sources.flatMap((file) => readFileSync(join(root, file), "utf8").match(/new RunnerError\(/g) ?? []);
  const found = all.filter(({ kind }) => kind === "error");
  expect(written.length).toBeGreaterThan(250);
  expect(found.length).toBeGreaterThanOrEqual(written.length);
});

test("log lines are lower-case events without a period, and errors are sentences", () => {
  const logs = all.filter(({ kind }) => kind === "log").flatMap(({ texts }) => texts);
  expect(logs.filter((text) => !/^(?:[a-z{?]|WebSocket)/.test(text))).toEqual([]);
  const errors = all.filter(({ kind }) => kind === "error").flatMap(({ texts }) => texts);
  const subjects = ["{file} or a file it imports"]; // of a sentence that follows
  expect(errors.filter((text) => !/[.!?})]$/.test(text))).toEqual(subjects);
});

test("a scan resolves branches, constants, parameters and functions", () => {
  const source = `
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
