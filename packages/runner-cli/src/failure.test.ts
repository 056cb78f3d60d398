import { RunnerError } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { failureText } from "./failure.ts";

const pipe = Object.assign(Object.create(process.stderr), { isTTY: false });

test("an expected error is one line with its fix; its stack and cause only when asked for", () => {
  const error = new RunnerError("PORT_IN_USE", "Port 1 is in use.", {
    fix: "Choose another.",
    cause: new Error("EADDRINUSE"),
  });
  expect(failureText(error, false, pipe)).toBe("error: Port 1 is in use. Choose another.");
  expect(failureText(error, true, pipe)).toMatch(
    /^error: Port 1 is in use\. Choose another\.\n(.|\n)+ at (.|\n)+EADDRINUSE/,
  );
});

test("any other error shows its stack: it is a fault of the runner or of a transport", () => {
  expect(failureText(new TypeError("x is undefined"), false, pipe)).toMatch(/^error: TypeError: x is undefined\n +at /);
  expect(failureText("thrown text", false, pipe)).toBe("error: 'thrown text'");
});
