import { execFile } from "node:child_process";
import { extname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { RunnerError } from "@pipecat-ts/runner-core";
import { shownPath } from "./project.ts";

/** Says in the developer's terms why a file could not be imported: where, what, and what to do. The cause keeps its stack. */
export async function explainImportError(cause: unknown, file: string): Promise<RunnerError> {
  const error: NodeJS.ErrnoException = cause instanceof Error ? cause : { name: "Error", message: String(cause) };
  const [message, fix] = await explain(error, file);
  return new RunnerError("BOT_INVALID", message, { fix, cause });
}

async function explain(error: NodeJS.ErrnoException, file: string): Promise<readonly [message: string, fix: string]> {
  const { code, message } = error;
  if (code === "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX") {
    return [
      `${headOf(error.stack) ?? shownPath(file)}: ${message}: Node runs TypeScript by removing the types.`,
      'Write it without (a const object for an enum, fields for parameter properties); "erasableSyntaxOnly" in tsconfig.json finds every place.',
    ];
  }
  if (code === "ERR_MODULE_NOT_FOUND") return explainNotFound(message, file);
  if (code === "ERR_UNKNOWN_FILE_EXTENSION") {
    return [`Node cannot run ${extname(file)} files: ${message}.`, "Use .ts, .mts, .js or .mjs."];
  }
  const frame = frameOf(error.stack);
  // One that has a frame was thrown by code that ran, `JSON.parse` for one.
  if (error instanceof SyntaxError && frame === undefined) {
    const place = headOf(error.stack) ?? (await askNode(file)) ?? `${shownPath(file)} or a file it imports`;
    return [`${place}: ${message}.`, fixOfSyntax(message)];
  }
  return [
    `${frame ?? shownPath(file)}: ${error.name} while the file was loaded: ${message}.`,
    "Mend it there; -v shows the stack.",
  ];
}

/** `Cannot find package 'x' imported from /bots/bot.ts`, `Cannot find module '/bots/x.js' imported from /bots/bot.ts`. */
function explainNotFound(message: string, file: string): readonly [message: string, fix: string] {
  const [, kind, name = "", importer = file] =
    message.match(/^Cannot find (package|module) '([^']+)' imported from (.+)$/) ?? [];
  if (kind === "package")
    return [`${shownPath(importer)} imports "${name}", which is not installed.`, `npm install ${name}`];
  if (kind === undefined) return [`${shownPath(file)}: ${message}.`, "Correct that import."];
  return [
    `${shownPath(importer)} imports ${shownPath(name)}, which is not there.`,
    "Correct that import; Node wants the file's own ending, .ts too.",
  ];
}

function fixOfSyntax(message: string): string {
  const [, name] = message.match(/does not provide an export named '([^']+)'/) ?? [];
  if (name === undefined) return "Correct that line.";
  return `If ${name} is a type, import it as one: import { type ${name} } from …`;
}

/** Where the stack of a syntax error says it is, in its first line: `file:///bots/bot.ts:2`. */
function headOf(stack = ""): string | undefined {
  const [, path, line] = stack.match(/^(file:\/\/\S+|\/.+?):(\d+)$/m) ?? [];
  return path === undefined ? undefined : `${shownPath(toPath(path))}:${line}`;
}

/** The topmost line of a stack that is in the developer's own code. */
function frameOf(stack = ""): string | undefined {
  const foreign = ["/node_modules/", new URL(".", import.meta.url).href];
  const lines = stack.split("\n").filter((line) => line.includes("file://"));
  const own = lines.find((line) => !foreign.some((part) => line.includes(part)));
  const [, url, line] = own?.match(/(file:\/\/.+?):(\d+):\d+\)?$/) ?? [];
  return url === undefined ? undefined : `${shownPath(toPath(url))}:${line}`;
}

/**
 * Has another Node import the file and reads the place from what it prints: where JavaScript is broken, Node says only
 * when it prints the error itself. Nothing is run there either: a module with a broken import is not evaluated. Live calls go
 * on meanwhile.
 */
function askNode(file: string): Promise<string | undefined> {
  const script = `import(${JSON.stringify(pathToFileURL(file).href)})`;
  return new Promise((resolve) => {
    execFile(process.execPath, ["--eval", script], { timeout: 10_000 }, (_failed, _stdout, stderr) =>
      resolve(headOf(stderr)),
    );
  });
}

function toPath(place: string): string {
  return place.startsWith("file:") ? fileURLToPath(place) : place;
}
