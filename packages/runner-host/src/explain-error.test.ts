import { RunnerError } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { explainError, placesIn } from "./explain-error.ts";

const at = (...frames: readonly string[]) => ["Error: text", ...frames.map((frame) => `    at ${frame}`)].join("\n");

test("the places in a stack are those in the developer's own code", () => {
  const stack = at(
    "read (node:fs:1:2)",
    "Client.call (file:///bots/node_modules/vendor/index.js:3:4)",
    `Object.<anonymous> (${new URL("session.ts", import.meta.url).href}:5:6)`,
    "async Brain.answer (file:///bots/brain%20one.ts?reload=2:7:8)",
    "/bots/old.cjs:9:10",
    `file://${process.cwd()}/src/bot.ts:11:12`,
  );
  expect(placesIn(stack)).toEqual(["/bots/brain one.ts:7", "/bots/old.cjs:9", "src/bot.ts:11"]);
  expect(placesIn("no stack")).toEqual([]);
});

test.each<[unknown, string, string | undefined]>([
  [
    Object.assign(new TypeError("a\nb"), { stack: at("bot (/b.ts:1:2)") }),
    "/b.ts:1: TypeError: a",
    "Correct that line.",
  ],
  [
    Object.assign(new Error("401 from a vendor"), { stack: at("x (node:net:1:2)") }),
    "Error: 401 from a vendor",
    undefined,
  ],
  // As pino writes it.
  [
    { type: "RangeError", message: "far", stack: at("bot (/b.ts:3:4)") },
    "/b.ts:3: RangeError: far",
    "Correct that line.",
  ],
  [new RunnerError("INTERNAL", "It broke.", { fix: "Mend it." }), "It broke.", "Mend it."],
  [Object.assign(new Error(""), { code: "ECONNREFUSED", stack: "" }), "Error: ECONNREFUSED", undefined],
  [`\u001b[31mred\u001b[0m`, "red", undefined],
  ["x".repeat(1_000), `${"x".repeat(500)}…`, undefined],
  [undefined, "undefined", undefined],
])("%# explains an error in one line, with its place and its fix", (error, summary, fix) => {
  expect(explainError(error)).toEqual({ summary, fix });
});
