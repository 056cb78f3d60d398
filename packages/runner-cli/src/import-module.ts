import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { isRunnerError, RunnerError } from "@pipecat-ts/runner-core";
import { explainImportError } from "./import-error.ts";
import { findProject, shownPath } from "./project.ts";
import { versionKey } from "./reload-modules.ts";

/**
 * Imports one of the developer's own files; `version` see `reloadModules`. Throws BOT_INVALID when that fails: with the file, the line and the remedy
 * where Node's own message does not say them.
 */
export async function importModule(file: string, version?: number): Promise<Readonly<Record<string, unknown>>> {
  refuseMislabelled(file);
  const url = pathToFileURL(file);
  if (version !== undefined) url.searchParams.set(versionKey, String(version));
  try {
    return await import(url.href);
  } catch (error) {
    throw isRunnerError(error) ? error : await explainImportError(error, file);
  }
}

/**
 * `npm init` writes `"type": "commonjs"`, under which Node takes a file that exports by keyword for broken. Said before
 * Node is asked, because it prints a warning of its own. A file that is CommonJS says `exports` somewhere.
 */
function refuseMislabelled(file: string): void {
  if (!/\.[jt]s$/.test(file)) return;
  const { manifest, folder } = findProject(dirname(file));
  if (manifest.type !== "commonjs") return;
  const source = readFileSync(file, "utf8");
  if (!/^(import|export)\b/m.test(source) || /\bexports\b/.test(source)) return;
  throw new RunnerError(
    "BOT_INVALID",
    `${shownPath(file)} is an ES module, and ${shownPath(join(folder, "package.json"))} says "type": "commonjs".`,
    { fix: 'Say "type": "module" there: npm pkg set type=module' },
  );
}
