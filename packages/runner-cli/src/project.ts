import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { loadEnvFile } from "node:process";
import { RunnerError } from "@pipecat-ts/runner-core";

/** The npm package that a bot belongs to. Its dependencies are the bot's transports. */
export interface Project {
  /** The folder of its package.json; the starting folder when there is none. */
  readonly folder: string;
  readonly manifest: ProjectManifest;
}

/** The parts of a project's package.json that the runner reads. */
export interface ProjectManifest {
  readonly type?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** The project of a folder: the nearest package.json, here or above. Throws BOT_INVALID when it is not JSON. */
export function findProject(start: string): Project {
  for (let folder = start; ; folder = dirname(folder)) {
    const file = join(folder, "package.json");
    if (existsSync(file)) return { folder, manifest: readJson(file) as ProjectManifest };
    if (folder === dirname(folder)) return { folder: start, manifest: {} };
  }
}

/** Reads a JSON object from a file. Throws BOT_INVALID. */
export function readJson(file: string): object {
  try {
    return Object(JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    throw new RunnerError("BOT_INVALID", `Cannot read ${shownPath(file)}: ${(cause as Error).message}.`, {
      fix: "Correct that file.",
      cause,
    });
  }
}

/** A path as the user sees it: relative to the current folder where that is shorter. */
export function shownPath(path: string): string {
  const fromHere = relative(process.cwd(), path) || ".";
  return fromHere.length < path.length ? fromHere : path;
}

/**
 * Fills `process.env` from the `.env` files of these folders, and sets `ENV=local`.
 *
 * Variables that are set already stay: the environment wins over every file, an earlier folder over a later one. A missing
 * file is skipped. Throws OPTION_INVALID for a file that cannot be read.
 */
export function loadEnvironment(folders: readonly string[]): void {
  for (const folder of new Set(folders)) loadEnvironmentFile(join(folder, ".env"));
  process.env.ENV ??= "local";
}

function loadEnvironmentFile(file: string): void {
  try {
    loadEnvFile(file);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") return;
    throw new RunnerError("OPTION_INVALID", `Cannot read ${shownPath(file)}: ${message}.`, {
      fix: "Make it a readable file, or move it away.",
      cause,
    });
  }
}
