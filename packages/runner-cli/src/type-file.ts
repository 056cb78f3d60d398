import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Logger, RunnerError } from "@pipecat-ts/runner-core";
import { transportPackages } from "./plugins.ts";
import { findProject, type Project, shownPath } from "./project.ts";

/**
 * The file that imports the types of a project's transports. TypeScript checks the params of a transport only if the program
 * imports its package, and a bot imports none.
 */
const fileName = "pipecat-env.d.ts";

/** What became of the file. */
export interface TypeFileUpdate {
  /** The absolute path. */
  readonly file: string;
  readonly packages: readonly string[];
  readonly changed: boolean;
}

/**
 * Writes `pipecat-env.d.ts` of the project in `folder`, for `pipecat-runner types` with no further arguments. Throws
 * TRANSPORT_UNAVAILABLE when no transport is installed, OPTION_INVALID for an argument and when the file cannot be written.
 */
export function writeTypeFile(folder: string, [surplus]: readonly string[] = []): TypeFileUpdate {
  if (surplus !== undefined) {
    throw new RunnerError("OPTION_INVALID", `Unexpected argument "${surplus}" after "types".`, {
      fix: "Run pipecat-runner types in the folder of the project. To run a bot, omit types.",
    });
  }
  const project = findProject(folder);
  const packages = transportPackages(project);
  if (packages.length > 0) return update(project, packages);
  throw new RunnerError(
    "TRANSPORT_UNAVAILABLE",
    `No transport is installed: ${shownPath(join(project.folder, "package.json"))} has no dependency that is a transport.`,
    { fix: "Run npm install if it has one. Otherwise install one: npm i @pipecat-ts/runner-<name>" },
  );
}

/**
 * Updates the file of a project that has one, at each start of the runner. Without the file it does nothing: its types would
 * change how TypeScript checks the project's bots. Never throws: a runner whose folder is read-only starts all the same.
 */
export function refreshTypeFile(project: Project, logger: Logger): void {
  if (!existsSync(join(project.folder, fileName))) return;
  try {
    const { file, packages, changed } = update(project, transportPackages(project));
    if (changed) logger.info({ file: shownPath(file), packages }, "types written");
  } catch (err) {
    logger.warn({ err }, "types not written");
  }
}

function update(project: Project, packages: readonly string[]): TypeFileUpdate {
  const file = join(project.folder, fileName);
  const lines = packages.map((name) => `import type {} from "${name}";\n`);
  const content = `// Written by "pipecat-runner types", and at each start: the types of the transports in package.json.\n${lines.join("")}`;
  try {
    const changed = !existsSync(file) || readFileSync(file, "utf8") !== content;
    if (changed) writeFileSync(file, content);
    return { file, packages, changed };
  } catch (cause) {
    throw new RunnerError("OPTION_INVALID", `Cannot write ${shownPath(file)}: ${(cause as Error).message}.`, {
      fix: "Make it writable, or remove it.",
      cause,
    });
  }
}
