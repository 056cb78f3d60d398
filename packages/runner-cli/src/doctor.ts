import { styleText } from "node:util";
import { type DoctorCheck, type DoctorResult, isRunnerError, withTimeout } from "@pipecat-ts/runner-core";
import { widthBeside, wrap } from "./output.ts";

/** How long one check may take, in ms. */
const checkMs = 5_000;

/** A check with a time limit of its own, in ms. `lateFix` is the fix when it has passed. */
export interface LimitedCheck extends DoctorCheck {
  readonly limitMs?: number;
  readonly lateFix?: string;
}

/** The result of a check, or of one that rejected without a fix. */
type Result = DoctorResult | { readonly state: "failed"; readonly reason: string; readonly fix?: undefined };

/** A check and its result. */
export type CheckedItem = { readonly name: string } & Result;

/** Runs checks one after the other, and calls `report` with each result. Resolves to all of them. Never rejects. */
export async function runChecks(
  checks: Iterable<LimitedCheck> | AsyncIterable<LimitedCheck>,
  report: (item: CheckedItem) => void,
): Promise<readonly CheckedItem[]> {
  const items: CheckedItem[] = [];
  for await (const check of checks) {
    const item = { name: check.name, ...(await resultOf(check)) };
    items.push(item);
    report(item);
  }
  return items;
}

async function resultOf({ run, limitMs = checkMs, lateFix = "Check the network." }: LimitedCheck): Promise<Result> {
  const deadline = new AbortController();
  const running = (async () => await run(deadline.signal))().catch(failure);
  if (await withTimeout(running, limitMs)) return await running;
  deadline.abort();
  return { state: "failed", reason: `There was no result within ${limitMs / 1_000} s.`, fix: lateFix };
}

/** The result of a check that rejected. */
function failure(error: unknown): Result {
  const reason = error instanceof Error ? error.message : String(error);
  const fix = isRunnerError(error) ? error.fix : undefined;
  return { state: "failed", reason, ...(fix !== undefined && { fix }) };
}

const marks = { passed: ["green", "✓"], skipped: ["yellow", "–"], failed: ["red", "✗"] } as const;

/** One check for people: a line with its result, and a line with the fix. */
export function itemText(item: CheckedItem, stream: NodeJS.WriteStream): string {
  const [color, mark] = marks[item.state];
  const note = item.state === "passed" ? (item.detail ?? "") : item.reason;
  const fix = item.state === "passed" ? "" : (item.fix ?? "");
  const [first = "", ...more] = [item.name + (note && `: ${note}`), fix && `→\u00a0${fix}`]
    .filter((text) => text !== "")
    .flatMap((text) => wrap(text, widthBeside(4, stream.columns)));
  return [`  ${styleText(color, mark, { stream })} ${first}`, ...more.map((line) => `    ${line}`), ""].join("\n");
}

/** The last line for people. */
export function summaryText(items: readonly CheckedItem[]): string {
  const failed = items.filter(({ state }) => state === "failed").length;
  if (failed === 0) return "No check failed.";
  return `${failed} of ${items.length} checks failed. Apply the fixes marked →, then run doctor again.`;
}
