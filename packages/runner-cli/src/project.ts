import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { RunnerError } from "@pipecat-ts/runner-core";

/** The package that a bot belongs to: whose dependencies are its transports. */
export interface Project {
  /** Where its package.json is; the starting folder when there is none. */
  readonly folder: string;
  readonly manifest: ProjectManifest;
}

/** The parts of a package.json that matter here. */
export interface ProjectManifest {
  readonly type?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** The project of a folder: the nearest package.json, here or above. Throws BOT_INVALID for one that is not JSON. */
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
    throw new RunnerError("BOT_INVALID", `${shownPath(file)} cannot be read: ${(cause as Error).message}.`, {
      fix: "Correct that file.",
      cause,
    });
  }
}

/** A path as people know it: relative where that is shorter. */
export function shownPath(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.length < path.length ? fromHere : path;
}
