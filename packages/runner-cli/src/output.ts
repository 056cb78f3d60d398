import { existsSync } from "node:fs";
import { join } from "node:path";
import { inspect, styleText } from "node:util";
import { clientRoot } from "@pipecat-ts/browser-client";
import { isRunnerError } from "@pipecat-ts/runner-core";
import type { TransportReport } from "@pipecat-ts/runner-host";
import type { MissingOption } from "./flags.ts";
import { readManifest } from "./manifest.ts";
import type { PluginFailure } from "./plugins.ts";

/** The contents of the banner. */
export interface BannerFacts {
  readonly version: string;
  /** The bot's file, as shown to the user. */
  readonly bot: string;
  /** The address for a browser on this machine. */
  readonly url: URL;
  /** Whether the web client is served there. */
  readonly hasClient: boolean;
  /** Calls at once; `Infinity` without a limit. */
  readonly maxSessions: number;
  readonly transports: readonly TransportReport[];
  readonly failures: readonly PluginFailure[];
  /** The required options of the bot that have no value. */
  readonly missing: readonly MissingOption[];
  /** Routes that anyone who reaches the runner from another host may use. */
  readonly unauthenticatedRoutes: readonly string[];
}

/** Whether the web client is built. */
export function hasClient(): boolean {
  return existsSync(join(clientRoot, "index.html"));
}

/** Prints the banner on stderr, because stdout is for the log. */
export function printBanner({
  settings: { maxSessions = Number.POSITIVE_INFINITY },
  ...facts
}: Omit<BannerFacts, "version" | "hasClient" | "maxSessions"> & {
  readonly settings: { readonly maxSessions?: number | undefined };
}): void {
  const { version } = readManifest();
  console.error(bannerText({ ...facts, version, hasClient: hasClient(), maxSessions }, process.stderr));
}

/** One transport in the banner. */
interface Entry {
  readonly name: string;
  readonly state: "ready" | "limited" | "off";
  /** Addresses and instructions for callers. */
  readonly lines: readonly string[];
  readonly reason?: string;
  readonly fix?: string;
}

const colors = { ready: "green", limited: "yellow", off: "red" } as const;

/** The banner that is printed once the runner listens. Colored when `stream` is a terminal and NO_COLOR is not set. */
export function bannerText(facts: BannerFacts, stream: NodeJS.WriteStream): string {
  const paint = (format: Parameters<typeof styleText>[0], text: string) => styleText(format, text, { stream });
  const entries = [...facts.transports.map(fromReport), ...facts.failures.map(fromFailure)];
  const indent = 4 + Math.max(0, ...entries.map(({ name }) => name.length));
  const width = widthBeside(indent, stream.columns);

  const lines = entries.flatMap(({ name, state, lines, reason = "", fix = "" }) => {
    const details = [...lines, reason, fix].filter((text) => text !== "").flatMap((text) => wrap(text, width));
    const head = `  ${paint("bold", name.padEnd(indent - 2))}${paint(colors[state], state)}`;
    return [head, ...details.map((line) => " ".repeat(indent) + paint("dim", line))];
  });
  const address = facts.url.href.replace(/\/$/, "");
  const note = facts.hasClient ? "open it and talk" : "the web client is not built";
  return [
    "",
    `  ${paint(["bold", "cyan"], "pipecat-runner")} ${facts.version} ${paint("dim", `runs ${facts.bot}`)}`,
    "",
    `  ${paint(["bold", "underline"], address)}  ${paint("dim", note)}`,
    "",
    ...lines,
    ...missingLines(facts.missing, stream.columns).map((line) => paint("yellow", line)),
    "",
    `  ${paint("dim", limitText(facts.maxSessions))}`,
    ...exposureLines(facts.unauthenticatedRoutes, stream.columns).map((line) => paint("yellow", line)),
    "",
  ].join("\n");
}

function limitText(maxSessions: number): string {
  return maxSessions === Number.POSITIVE_INFINITY
    ? "No limit of calls: set one with --max-sessions."
    : `Up to ${maxSessions} calls at once (--max-sessions).`;
}

function missingLines(missing: readonly MissingOption[], columns: number): readonly string[] {
  if (missing.length === 0) return [];
  const texts = missing.map(({ label, description }) => `${label} is not set: ${description}.`);
  const fix = "Add it to .env and restart: calls fail without it.";
  return ["", ...texts, fix].flatMap((text) =>
    wrap(text, widthBeside(2, columns)).map((line) => `  ${line}`.trimEnd()),
  );
}

function exposureLines(routes: readonly string[], columns: number): readonly string[] {
  if (routes.length === 0) return [];
  const list = routes.map((route) => route.replaceAll(" ", "\u00a0")).join(", ");
  const warning = `Anyone who knows this address can use ${list}.`;
  const fix = "Add --api-key\u00a0<16+\u00a0characters> to require a key.";
  return ["", ...wrap(`${warning} ${fix}`, widthBeside(2, columns)).map((line) => `  ${line}`)];
}

function fromReport({ name, availability, banner, listeners }: TransportReport): Entry {
  const lines = [...listeners, ...banner];
  if (availability.state === "ready") return { name, state: "ready", lines };
  const { state, reason, fix } = availability;
  return { name, state: state === "limited" ? "limited" : "off", lines, reason, fix };
}

function fromFailure({ name, reason, fix }: PluginFailure): Entry {
  return { name, state: "off", lines: [], reason, fix };
}

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
function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines.map((line) => line.replaceAll("\u00a0", " "));
}

/** The columns to the right of `indent`: at most 100 in total, at least 40. A terminal of unknown width reports 0 columns. */
function widthBeside(indent: number, columns = 0): number {
  return Math.max(40, Math.min(columns || 100, 100) - indent);
}

/** Two columns: `left` padded to `indent`, `right` wrapped beside it. */
export function beside(left: string, right: string, indent: number, columns?: number): string {
  const lines = wrap(right, widthBeside(indent, columns));
  return lines.map((line, index) => (index === 0 ? left : "").padEnd(indent) + line).join("\n");
}
