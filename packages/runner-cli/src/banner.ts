import { styleText } from "node:util";
import type { TransportReport } from "@pipecat-ts/runner-host";
import type { PluginFailure } from "./find-plugins.ts";
import { widthBeside, wrap } from "./text-layout.ts";

/** What the banner tells. */
export interface BannerFacts {
  readonly version: string;
  /** The bot's file, as people know it. */
  readonly bot: string;
  /** Where a browser on this machine reaches the runner. */
  readonly url: URL;
  /** Whether the web client is served there. */
  readonly hasClient: boolean;
  readonly transports: readonly TransportReport[];
  readonly failures: readonly PluginFailure[];
  /** What anyone may do who reaches the runner from elsewhere. */
  readonly openToAll: readonly string[];
}

/** A line of the list of transports. */
interface Entry {
  readonly name: string;
  readonly state: "ready" | "limited" | "off";
  /** How to reach it. */
  readonly ways: readonly string[];
  /** What it lacks, and the remedy. */
  readonly reason?: string;
  readonly fix?: string;
}

const colors = { ready: "green", limited: "yellow", off: "red" } as const;

/** The lines printed once the runner listens. Coloured where `stream` is a terminal and NO_COLOR is not set. */
export function bannerText(facts: BannerFacts, stream: NodeJS.WriteStream): string {
  const paint = (format: Parameters<typeof styleText>[0], text: string) => styleText(format, text, { stream });
  const entries = [...facts.transports.map(fromReport), ...facts.failures.map(fromFailure)];
  const indent = 4 + Math.max(0, ...entries.map(({ name }) => name.length));
  const width = widthBeside(indent, stream.columns);

  const lines = entries.flatMap(({ name, state, ways, reason = "", fix = "" }) => {
    const details = [...ways, reason, fix].filter((text) => text !== "").flatMap((text) => wrap(text, width));
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
    ...openLines(facts.openToAll, stream.columns).map((line) => paint("yellow", line)),
    "",
  ].join("\n");
}

function openLines(paths: readonly string[], columns: number): readonly string[] {
  if (paths.length === 0) return [];
  const what = `Whoever reaches this server may use ${paths.map((path) => path.replaceAll(" ", "\u00a0")).join(", ")}.`;
  const fix =
    "--api-key asks whoever starts calls for a key, --ws-auth\u00a0token every socket for its session's token.";
  return ["", ...wrap(`${what} ${fix}`, widthBeside(2, columns)).map((line) => `  ${line}`)];
}

function fromReport({ name, availability, banner }: TransportReport): Entry {
  if (availability.state === "ready") return { name, state: "ready", ways: banner };
  const { state, reason, fix } = availability;
  return { name, state: state === "limited" ? "limited" : "off", ways: banner, reason, fix };
}

function fromFailure({ name, reason, fix }: PluginFailure): Entry {
  return { name, state: "off", ways: [], reason, fix };
}
