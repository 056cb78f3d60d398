import { inspect, styleText } from "node:util";
import { isRunnerError } from "@pipecat-ts/runner-core";

/**
 * What is printed about an error that ends the program: one line with the remedy for an expected one, the stack as well
 * for any other or when `verbose`.
 */
export function failureText(error: unknown, verbose: boolean, stream: NodeJS.WriteStream): string {
  const head = styleText(["bold", "red"], "error:", { stream });
  if (!isRunnerError(error)) return `${head} ${inspect(error)}`;
  const line = `${head} ${[error.message, error.fix].filter(Boolean).join(" ")}`;
  return verbose ? `${line}\n${inspect(error)}` : line;
}
