import { readFileSync } from "node:fs";
import { RunnerError } from "@pipecat-ts/runner-core";
import { shownPath } from "./project.ts";

/** What a file of JSON holds. Throws OPTION_INVALID, which names the flag, when it cannot be read or is none. */
export function readRunnerBody(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    const { message } = cause as Error;
    throw new RunnerError("OPTION_INVALID", `--runner-body is ${shownPath(file)}, which is no JSON file: ${message}.`, {
      fix: "Name a file that holds the body as JSON.",
      cause,
    });
  }
}
