import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { isRunnerError, RunnerError } from "@pipecat-ts/runner-core";
import { placesIn } from "@pipecat-ts/runner-host";
import { findProject, shownPath } from "./project.ts";
import { versionKey } from "./reload-modules.ts";

/**
 * Imports one of the developer's own files. For `version`, see `reloadModules`.
 *
 * Throws BOT_INVALID when that fails, with the file, the line and the fix, also where Node's own message lacks them.
 */
export async function importModule(file: string, version?: number): Promise<Readonly<Record<string, unknown>>> {
  rejectMislabeled(file);
  const url = pathToFileURL(file);
  if (version !== undefined) url.searchParams.set(versionKey, String(version));
  try {
    return await import(url.href);
  } catch (error) {
    throw isRunnerError(error) ? error : await explainImportError(error, file);
  }
}

/**
 * `npm init` writes `"type": "commonjs"`, and Node then reports a syntax error for `export`. Checked before the import,
 * because Node prints a warning of its own. A file that mentions `exports` is CommonJS.
 */
function rejectMislabeled(file: string): void {
  if (!/\.[jt]s$/.test(file)) return;
  const { manifest, folder } = findProject(dirname(file));
  if (manifest.type !== "commonjs") return;
  const source = readFileSync(file, "utf8");
  if (!/^(import|export)\b/m.test(source) || /\bexports\b/.test(source)) return;
  throw new RunnerError(
    "BOT_INVALID",
    `${shownPath(file)} is an ES module, but ${shownPath(join(folder, "package.json"))} says "type": "commonjs".`,
    { fix: 'Set "type": "module": npm pkg set type=module' },
  );
}

/** Explains why a file could not be imported: the place, the problem and the fix. The cause keeps its stack. */
export async function explainImportError(cause: unknown, file: string): Promise<RunnerError> {
  const error: NodeJS.ErrnoException = cause instanceof Error ? cause : { name: "Error", message: String(cause) };
  const [message, fix] = await explain(error, file);
  return new RunnerError("BOT_INVALID", message, { fix, cause });
}

async function explain(error: NodeJS.ErrnoException, file: string): Promise<readonly [message: string, fix: string]> {
  const { code } = error;
  const message = String(error.message); // Anything can be assigned to it.
  if (code === "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX") {
    return [
      `${placeInHead(error.stack) ?? shownPath(file)}: ${message}: Node runs TypeScript by removing the types.`,
      'Use a const object for an enum and fields for parameter properties; "erasableSyntaxOnly" in tsconfig.json finds every place.',
    ];
  }
  if (code === "ERR_MODULE_NOT_FOUND") return explainNotFound(message, file);
  if (code === "ERR_UNKNOWN_FILE_EXTENSION") {
    return [`Node cannot run ${extname(file)} files: ${message}.`, "Use .ts, .mts, .js or .mjs."];
  }
  const [frame] = placesIn(error.stack ?? "");
  // With a frame, code that ran threw the error, such as `JSON.parse`.
  if (error instanceof SyntaxError && frame === undefined) {
    const place = placeInHead(error.stack) ?? (await placeFromNode(file)) ?? `${shownPath(file)} or a file it imports`;
    return [`${place}: ${message}.`, fixForSyntax(message)];
  }
  const [line = ""] = message.trim().split(/[\r\n]/);
  const reason = line === "" ? "" : `: ${line.replace(/\.$/, "")}`;
  return [
    `${frame ?? shownPath(file)}: ${error.name} while the file was loaded${reason}.`,
    "Correct that line; -v shows the stack.",
  ];
}

/** `Cannot find package 'x' imported from /bots/bot.ts`, `Cannot find module '/bots/x.js' imported from /bots/bot.ts`. */
function explainNotFound(message: string, file: string): readonly [message: string, fix: string] {
  const [, kind, name = "", importer = file] =
    message.match(/^Cannot find (package|module) '([^']+)' imported from (.+)$/) ?? [];
  if (kind === "package")
    return [`${shownPath(importer)} imports "${name}", which is not installed.`, `Run: npm install ${name}`];
  if (kind === undefined) return [`${shownPath(file)}: ${message}.`, "Correct that import."];
  if (name === file) return [`${shownPath(file)} does not exist any more.`, "Restore it."];
  return [
    `${shownPath(importer)} imports ${shownPath(name)}, which does not exist.`,
    "Correct that import. Node requires the file's own ending, also .ts.",
  ];
}

function fixForSyntax(message: string): string {
  const [, name] = message.match(/does not provide an export named '([^']+)'/) ?? [];
  if (name === undefined) return "Correct that line.";
  if (name === "default") return "Import its exports by name: import { … } from …";
  return `If ${name} is a type, import it as a type: import { type ${name} } from …`;
}

/** The place in the first line of a syntax error's stack: `file:///bots/bot.ts:2`. */
function placeInHead(stack = ""): string | undefined {
  const [, path, line] = stack.match(/^(file:\/\/\S+|\/.+?):(\d+)$/m) ?? [];
  return path === undefined ? undefined : `${shownPath(toPath(path))}:${line}`;
}

/**
 * Imports the file in another Node process and reads the place from what it prints: for broken JavaScript, Node reports the
 * place only when it prints the error itself. A module with a syntax error in itself or an import is not evaluated, so nothing
 * runs twice. A child process keeps live calls undisturbed.
 */
function placeFromNode(file: string): Promise<string | undefined> {
  const script = `import(${JSON.stringify(pathToFileURL(file).href)})`;
  return new Promise((resolve) => {
    execFile(process.execPath, ["--eval", script], { timeout: 10_000 }, (_failed, _stdout, stderr) =>
      resolve(placeInHead(stderr)),
    );
  });
}

function toPath(place: string): string {
  return place.startsWith("file:") ? fileURLToPath(place) : place;
}
