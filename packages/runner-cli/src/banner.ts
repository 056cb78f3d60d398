import { existsSync } from "node:fs";
import { join } from "node:path";
import { styleText } from "node:util";
import { clientRoot, clientTransports } from "@pipecat-ts/browser-client";
import { isLoopback } from "@pipecat-ts/runner-core";
import { parsePublicUrl, type TransportReport } from "@pipecat-ts/runner-host";
import { renderUnicodeCompact } from "uqr";
import type { CommandLine } from "./command-line.ts";
import { type MissingOption, setOptionFix } from "./flags.ts";
import { readManifest } from "./manifest.ts";
import { networkUrls } from "./network.ts";
import { widthBeside, wrap } from "./output.ts";
import type { PluginFailure } from "./plugins.ts";
import { shownPath } from "./project.ts";

/** The contents of the banner. */
export interface BannerFacts {
  readonly version: string;
  /** The page with the documentation. */
  readonly docs: string;
  /** The bot's file, as shown to the user. */
  readonly bot: string;
  /** The `.env` file of the bot's project, as shown to the user. */
  readonly envFile: string;
  /** The address for a browser on this machine. */
  readonly url: URL;
  /** The addresses for other machines in the same networks. */
  readonly networkUrls: readonly URL[];
  readonly publicUrl: URL | undefined;
  /** Whether the web client is served. */
  readonly hasClient: boolean;
  /** Calls at once; `Infinity` without a limit. */
  readonly maxSessions: number;
  readonly transports: readonly TransportReport[];
  readonly failures: readonly PluginFailure[];
  /** The required options of the bot that have no value. */
  readonly missing: readonly MissingOption[];
  /** Routes that anyone who reaches the runner from another host may use. */
  readonly unauthenticatedRoutes: readonly string[];
  /** What the keys of the terminal do; empty when they do nothing. */
  readonly keys: string;
}

/** Whether the web client is built. */
export function hasClient(): boolean {
  return existsSync(join(clientRoot, "index.html"));
}

/** The banner's facts about a command line. A worker sends them to its gateway. */
export type BannerNotes = Pick<BannerFacts, "bot" | "envFile" | "failures" | "missing">;

export function notesOf({ bot, project, found, missing }: CommandLine): BannerNotes {
  return {
    bot: shownPath(bot.file),
    envFile: shownPath(join(project.folder, ".env")),
    failures: found.failures.map(({ name, reason, fix }) => ({ name, reason, fix })),
    missing,
  };
}

type KnownFacts = "version" | "docs" | "hasClient" | "maxSessions" | "networkUrls" | "publicUrl";

/** Prints the banner on stderr, because stdout is for the log. */
export function printBanner({
  settings: { maxSessions = Number.POSITIVE_INFINITY, host = "localhost", publicUrl },
  ...facts
}: Omit<BannerFacts, KnownFacts> & {
  readonly settings: {
    readonly maxSessions?: number | undefined;
    readonly host?: string | undefined;
    readonly publicUrl?: string | URL | undefined;
  };
}): void {
  const { version, homepage } = readManifest();
  const known: Pick<BannerFacts, KnownFacts> = {
    version,
    docs: homepage,
    hasClient: hasClient(),
    maxSessions,
    networkUrls: networkUrls(host, facts.url),
    publicUrl: publicUrl === undefined ? undefined : parsePublicUrl(`${publicUrl}`),
  };
  console.error(bannerText({ ...facts, ...known }, process.stderr));
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
/** In front of everything that the user can do. */
const arrow = "→\u00a0";

/**
 * The banner that is printed once the runner listens. When `stream` is a terminal, it has a QR code of the public URL, and colors
 * unless NO_COLOR is set.
 */
export function bannerText(facts: BannerFacts, stream: NodeJS.WriteStream): string {
  const { columns } = stream;
  const paint = (format: Parameters<typeof styleText>[0], text: string) => styleText(format, text, { stream });
  const paragraph = (...texts: readonly string[]) =>
    texts
      .filter((text) => text !== "")
      .flatMap((text) => wrap(text, widthBeside(2, columns)).map((line) => `  ${line}`));
  const all = [...facts.transports.map(fromReport), ...facts.failures.map(fromFailure)];
  const { entries, groups } = groupByReason(all);
  const indent = 4 + Math.max(0, ...entries.map(({ name }) => name.length));

  const transports = entries.flatMap(({ name, state, lines, reason = "", fix = "" }) => {
    const details = [...lines, reason, fix && arrow + fix].filter((text) => text !== "");
    const head = `  ${paint("bold", name.padEnd(indent - 2))}${paint(colors[state], state)}`;
    const body = details.flatMap((text) => wrap(text, widthBeside(indent, columns)));
    return [head, ...body.map((line) => " ".repeat(indent) + paint("dim", line))];
  });
  const grouped = groups.flatMap(([{ reason = "", fix = "" }, names]) =>
    paragraph(`${names.join(", ")}: ${reason}`, arrow + fix).map((line) => paint("dim", line)),
  );
  const talk = talkability(facts);
  const places = placesOf(facts, talk).flatMap(([url, note]) => {
    const address = shownUrl(url);
    const indent = address.length + 4;
    const [first = "", ...more] = wrap(note, widthBeside(indent, columns)).map((line) => paint("dim", line));
    const head = `  ${paint(["bold", "underline"], address)}  ${first}`;
    return [head, ...more.map((line) => " ".repeat(indent) + line)];
  });
  const sections = [
    [`  ${paint(["bold", "cyan"], "pipecat-runner")} ${facts.version} ${paint("dim", `runs ${facts.bot}`)}`],
    places,
    // Light on dark, whatever the colors of the terminal.
    (stream.isTTY && facts.publicUrl && talk.possible ? qrCode(facts.publicUrl, columns) : []).map(
      (line) => `  ${paint(["whiteBright", "bgBlack"], line)}`,
    ),
    transports,
    grouped,
    paragraph(...missingTexts(facts, talk)).map((line) => paint("yellow", line)),
    paragraph(limitText(facts.maxSessions)).map((line) => paint("dim", line)),
    paragraph(...exposureTexts(facts.unauthenticatedRoutes)).map((line) => paint("yellow", line)),
    paragraph(
      `Docs: ${facts.docs}`,
      `To check keys, ports and the network: npx pipecat-runner doctor ${facts.bot}`,
      facts.keys,
    ).map((line) => paint("dim", line)),
  ];
  return ["", ...sections.filter(({ length }) => length > 0).flatMap((lines) => [...lines, ""])].join("\n");
}

/** The transports that are off for the same reason, such as `--transport`, are one group. */
function groupByReason(all: readonly Entry[]) {
  const byReason = Map.groupBy(all, ({ state, reason = "" }) => (state === "off" ? reason : ""));
  const groups = [...byReason].flatMap(([reason, [first, ...more]]) =>
    reason !== "" && first && more.length > 0 ? [[first, [first, ...more].map(({ name }) => name)] as const] : [],
  );
  const entries = all.filter(({ name }) => !groups.some(([, names]) => names.includes(name)));
  return { entries, groups };
}

/** Whether anyone can talk to the bot on the runner's page; if not, why, and how to change that. */
type Talkability = { readonly possible: true } | { readonly possible: false; readonly reason: string; fix: string };

function talkability({ hasClient, transports }: BannerFacts): Talkability {
  if (!hasClient) {
    const reason = "the web client is not built";
    return { possible: false, reason, fix: "To talk to the bot in a browser, build the web client: pnpm build" };
  }
  const supported = Object.entries<string>(clientTransports).map(([name, source]) => ({
    source,
    report: transports.find((transport) => transport.name === name),
  }));
  if (supported.some(({ report }) => report?.startable)) return { possible: true };
  const reason = "no transport works in a browser";
  // An installed transport that cannot run shows its own fix.
  const [first] = supported;
  const fix =
    supported.some(({ report }) => report) || first === undefined
      ? ""
      : `To talk to the bot in a browser: npm install ${first.source}`;
  return { possible: false, reason, fix };
}

function placesOf(
  { url, networkUrls, publicUrl }: BannerFacts,
  talk: Talkability,
): readonly (readonly [url: URL, note: string])[] {
  // https://developer.mozilla.org/docs/Web/Security/Secure_Contexts
  const secureOnly = "for apps; browsers allow the microphone only over https or on localhost";
  function note(place: URL): string {
    if (!talk.possible) return talk.reason;
    return place.protocol === "https:" || isLoopback(place.hostname) ? "open it and talk" : secureOnly;
  }
  return [
    [url, note(url)],
    ...networkUrls.map((place) => [place, talk.possible ? secureOnly : "in your network"] as const),
    ...(publicUrl ? [[publicUrl, talk.possible ? note(publicUrl) : "public"] as const] : []),
  ];
}

function shownUrl({ href }: URL): string {
  return href.replace(/\/$/, "");
}

/** To open the page on a phone. Empty when the terminal is too narrow. */
function qrCode(url: URL, columns: number): readonly string[] {
  const lines = renderUnicodeCompact(url.href, { border: 2 }).split("\n");
  return lines.some(({ length }) => length + 2 > columns) ? [] : lines;
}

function limitText(maxSessions: number): string {
  return maxSessions === Number.POSITIVE_INFINITY
    ? "No limit of calls: set one with --max-sessions."
    : `Up to ${maxSessions} ${maxSessions === 1 ? "call" : "calls"} at once (--max-sessions).`;
}

/** What is missing, each with its fix. */
function missingTexts({ missing, envFile }: BannerFacts, talk: Talkability): readonly string[] {
  const options = missing.flatMap((option) => [
    `${option.label} is not set: ${option.description}. Calls fail without it. Set it, and restart:`,
    arrow + setOptionFix(option, envFile),
  ]);
  return [...options, ...(!talk.possible && talk.fix !== "" ? [arrow + talk.fix] : [])];
}

function exposureTexts(routes: readonly string[]): readonly string[] {
  if (routes.length === 0) return [];
  const list = routes.map((route) => route.replaceAll(" ", "\u00a0")).join(", ");
  const fix = "Add --api-key\u00a0<16+\u00a0characters> to require a key.";
  return [`Anyone who knows this address can use ${list}. ${fix}`];
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
