import { readFileSync } from "node:fs";
import { RunnerError } from "@pipecat-ts/runner-core";
import { LineCounter, parseDocument, visit } from "yaml";
import { shownPath } from "./project.ts";

/** How often a file may use an anchor, times the aliases in its value: a short file could otherwise stand for gigabytes. */
const maxAliases = 100;

/**
 * Reads the file of `--runner-body`: YAML 1.2 with merge keys (`<<`), or JSON, which YAML contains. An empty file is `undefined`.
 * Throws OPTION_INVALID, which names the file, the line and the column.
 */
export function readRunnerBody(file: string): unknown {
  const path = shownPath(file);
  try {
    return parseBody(decode(readFileSync(file), path), path) ?? undefined;
  } catch (cause) {
    if (cause instanceof RunnerError) throw cause;
    throw invalid(path, (cause as Error).message, cause);
  }
}

function decode(bytes: Buffer, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new RunnerError("OPTION_INVALID", `--runner-body: ${path} is not UTF-8.`, {
      fix: "Save it as UTF-8.",
      cause,
    });
  }
}

function parseBody(text: string, path: string): unknown {
  const lines = new LineCounter();
  const document = parseDocument(text, { merge: true, prettyErrors: false, lineCounter: lines });
  function rejectAt(offset: number, message: string, cause?: unknown): never {
    const { line, col } = lines.linePos(offset);
    throw invalid(`${path}:${line}:${col}`, message, cause);
  }

  // A warning is a tag of an unknown type, whose value would be wrong.
  const [error] = [...document.errors, ...document.warnings];
  if (error) rejectAt(error.pos[0], error.message, error);
  visit(document, {
    Alias(_key, alias, path) {
      const { source, range } = alias;
      const anchored = alias.resolve(document);
      const offset = range?.[0] ?? 0;
      if (anchored === undefined) rejectAt(offset, `*${source} has no anchor &${source} before it`);
      if (path.includes(anchored)) rejectAt(offset, `*${source} is part of its own value`);
    },
  });
  return document.toJS({ maxAliasCount: maxAliases });
}

function invalid(place: string, message: string, cause?: unknown): RunnerError {
  return new RunnerError("OPTION_INVALID", `--runner-body: ${place} cannot be read: ${message.replace(/\.$/, "")}.`, {
    fix: "Name a file that contains the body as YAML or JSON.",
    cause,
  });
}
