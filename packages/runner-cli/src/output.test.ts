import { RunnerError } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { failureText } from "./output.ts";

const pipe = Object.assign(Object.create(process.stderr), { isTTY: false });

test("a RunnerError is one line with its fix; verbose adds stack and cause", () => {
  const error = new RunnerError("PORT_IN_USE", "Port 1 is in use.", {
    fix: "Choose another.",
    cause: new Error("EADDRINUSE"),
  });
  expect(failureText(error, false, pipe)).toBe("error: Port 1 is in use. Choose another.");
  expect(failureText(error, true, pipe)).toMatch(
    /^error: Port 1 is in use\. Choose another\.\n(.|\n)+ at (.|\n)+EADDRINUSE/,
  );
});

test("other errors show their stack", () => {
  expect(failureText(new TypeError("x is undefined"), false, pipe)).toMatch(/^error: TypeError: x is undefined\n +at /);
  expect(failureText("thrown text", false, pipe)).toBe("error: 'thrown text'");
});
