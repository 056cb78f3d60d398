import { join } from "node:path";
import { loadEnvFile } from "node:process";
import { RunnerError } from "@pipecat-ts/runner-core";
import { shownPath } from "./project.ts";

/**
 * Fills `process.env` from the `.env` files of these folders, and sets `ENV=local`.
 *
 * What is set already stays: the environment wins over every file, an earlier folder over a later one. Throws
 * OPTION_INVALID for a `.env` that cannot be read; one that is not there is none.
 */
export function loadEnvironment(folders: readonly string[]): void {
  for (const folder of new Set(folders)) load(join(folder, ".env"));
  process.env.ENV ??= "local";
}

function load(file: string): void {
  try {
    loadEnvFile(file);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") return;
    throw new RunnerError("OPTION_INVALID", `${shownPath(file)} cannot be read: ${message}.`, {
      fix: "Make it a readable file, or move it away.",
      cause,
    });
  }
}
