import { inspect, styleText } from "node:util";
import { isRunnerError } from "@pipecat-ts/runner-core";

/**
 * The text for an error that ends the program: one line with the fix for a `RunnerError`; also the stack for other errors,
 * and with `verbose`.
 */
export function failureText(error: unknown, verbose: boolean, stream: NodeJS.WriteStream): string {
  const head = styleText(["bold", "red"], "error:", { stream });
  if (!isRunnerError(error)) return `${head} ${inspect(error)}`;
  const line = `${head} ${[error.message, error.fix].filter(Boolean).join(" ")}`;
  return verbose ? `${line}\n${inspect(error)}` : line;
}

/** Breaks a text into lines of at most `width` columns, but not within a word or at a non-breaking space. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines.map((line) => line.replaceAll("\u00a0", " "));
}

/** The columns to the right of `indent`: at most 100 in total, at least 40. A terminal of unknown width reports 0 columns. */
export function widthBeside(indent: number, columns = 0): number {
  return Math.max(40, Math.min(columns || 100, 100) - indent);
}

/** Two columns: `left` padded to `indent`, `right` wrapped beside it. */
export function beside(left: string, right: string, indent: number, columns?: number): string {
  const lines = wrap(right, widthBeside(indent, columns));
  return lines.map((line, index) => (index === 0 ? left : "").padEnd(indent) + line).join("\n");
}
