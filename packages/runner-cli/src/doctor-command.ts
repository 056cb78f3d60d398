import { dirname, join, resolve } from "node:path";
import {
  type Availability,
  type DoctorCheck,
  type DoctorContext,
  type DoctorResult,
  isExposed,
  isRunnerError,
  resolveOptions,
  type TransportPlugin,
} from "@pipecat-ts/runner-core";
import type { FleetFlags } from "@pipecat-ts/runner-fleet/options";
import {
  boundUrl,
  checkTransportName,
  createFront,
  createLogger,
  type HttpServer,
  resolveRunnerFlags,
  runnerOptionsFrom,
} from "@pipecat-ts/runner-host";
import { type CommandLine, type ParsedCommand, parsePartly, readCommandLine, runnerGroup } from "./command-line.ts";
import { itemText, type LimitedCheck, runChecks, summaryText } from "./doctor.ts";
import { commandFlags, setOptionFix } from "./flags.ts";
import { openDirectory, requireFleetSecret } from "./fleet-directory.ts";
import { createFleetOf, readGatewayCommand } from "./gateway.ts";
import { isSupported, nodeVersions, readManifest } from "./manifest.ts";
import { beside } from "./output.ts";
import { type FoundPlugins, findPlugins, installTransport, presentName } from "./plugins.ts";
import { findProject, loadEnvironment, type Project, shownPath } from "./project.ts";
import { createRoundTrips, type RoundTrips } from "./round-trip.ts";
import { readRunnerBody } from "./runner-body.ts";
import { sendConsoleToStderr } from "./standard-streams.ts";
import { checkTunnel, findTunnelProgram, tunnelSettings } from "./tunnel.ts";

/**
 * `pipecat-runner doctor [bot] [options] [--json]`: checks what a runner with this command line needs. Resolves to 1 when a check
 * fails. Starts no bot and no transport.
 */
export async function doctor(argv: readonly string[]): Promise<number> {
  if (parsePartly(argv, [runnerGroup]).given[runnerGroup.name]?.help) {
    process.stdout.write(helpText(process.stdout.columns));
    return 0;
  }
  const isJson = argv.includes("--json");
  sendConsoleToStderr();
  const { stdout } = process;
  if (!isJson) stdout.write("\n");
  const items = await runChecks(checksOf(argv.filter((argument) => argument !== "--json")), (item) => {
    if (!isJson) stdout.write(itemText(item, stdout));
  });
  stdout.write(isJson ? `${JSON.stringify(items, undefined, 2)}\n` : `\n  ${summaryText(items)}\n\n`);
  return items.some(({ state }) => state === "failed") ? 1 : 0;
}

/** How long a bot's file may take to load, in ms: it may load a model. */
const botMs = 60_000;
/** How long a program that uses the port may take to show that it is a runner, in ms. */
const runnerMs = 2_000;

function helpText(columns?: number): string {
  const rows: readonly (readonly [name: string, description: string])[] = [
    ["bot", "The file that exports bot(args). Default: the one that pipecat-runner runs."],
    ["options", "The options with which you start the bot. To list them: pipecat-runner --help"],
    ["--json", "Print the results as JSON on stdout."],
  ];
  const lines = rows.map(([name, description]) => beside(`  ${name}`, description, 12, columns));
  const about = `Checks what a runner with these options needs, and says how to fix what is missing. Starts no bot and no transport. The exit code is 1 when a check fails.`;
  return `Usage: pipecat-runner doctor [bot] [options] [--json]\n\n${beside("", about, 0, columns)}\n\n${lines.join("\n")}\n`;
}

const passed: DoctorResult = { state: "passed" };

/** A check whose result is known. */
function known(name: string, result: DoctorResult): DoctorCheck {
  return { name, run: () => result };
}

async function* checksOf(argv: readonly string[]): AsyncGenerator<LimitedCheck> {
  yield checkNode();
  const { bot } = parsePartly(argv, [runnerGroup]);
  const folder = bot === undefined ? process.cwd() : dirname(resolve(bot));
  let project: Project | undefined;
  let found: FoundPlugins | undefined;
  let line: CommandLine | undefined;
  const reported = new Set<string>();
  yield {
    name: "Project",
    async run() {
      project = findProject(folder);
      loadEnvironment([folder, project.folder]);
      found = await findPlugins(project);
      return { state: "passed", detail: shownPath(project.folder) || "." };
    },
  };
  yield {
    name: "Bot",
    limitMs: botMs,
    lateFix: "Let the bot's file wait for less while it is loaded.",
    async run() {
      line = await readCommandLine(argv).catch((error: Error) => {
        reported.add(error.message);
        throw error;
      });
      return { state: "passed", detail: line ? `${shownPath(line.bot.file)} exports bot` : "--help" };
    },
  };
  for (const option of line?.missing ?? []) {
    const fix = setOptionFix(option, shownPath(join(project?.folder ?? folder, ".env")));
    yield known(option.label, { state: "failed", reason: `not set (${option.description})`, fix });
  }
  if (!found) return;
  yield* checkPackages(found);
  const groups = found.plugins.map(({ name, options = {} }) => ({ name, table: options }));
  const { given } = parsePartly(argv, [runnerGroup, ...groups]);
  let fleet: FleetFlags | undefined;
  const error = errorOf(() => {
    fleet = requireValidOptions(argv, given[runnerGroup.name] ?? {});
  });
  if (error && !reported.has(error.message)) {
    reported.add(error.message);
    yield { name: "Options", run: () => Promise.reject(error) };
  }
  if (fleet?.fleet !== undefined && project) yield checkFleet(fleet, fleet.fleet, project);
  yield* checkServer(given, found.plugins, reported);
}

/** Checks the options other than those of the server. Throws the error with which the command would not start. */
function requireValidOptions(
  argv: readonly string[],
  given: Readonly<Record<string, unknown>>,
): FleetFlags | undefined {
  const { fleet } = readGatewayCommand(argv, undefined) ?? {};
  if (fleet?.fleet !== undefined) requireFleetSecret(fleet.fleetSecret);
  checkTunnel(tunnelSettings(given));
  const { runnerBody } = resolveOptions(commandFlags, { given });
  if (runnerBody !== undefined) readRunnerBody(runnerBody);
  return fleet;
}

/** Checks whether this machine could join the fleet. */
function checkFleet(flags: FleetFlags, url: string, project: Project): DoctorCheck {
  return {
    name: "Fleet",
    async run() {
      const directory = await openDirectory(url, project);
      try {
        await createFleetOf(flags, directory, createLogger({ level: "silent" }));
        const { length } = await directory.list();
        return { state: "passed", detail: `the directory answers: ${length} ${length === 1 ? "node" : "nodes"}` };
      } finally {
        await directory.close();
      }
    },
  };
}

function errorOf(check: () => void): Error | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

function checkNode(): DoctorCheck {
  const { node, bun, deno } = process.versions;
  const runtime = bun ? ` as Bun ${bun}` : deno ? ` as Deno ${deno}` : "";
  const { engines } = readManifest();
  const required = nodeVersions(engines.node);
  const reason = `pipecat-runner requires Node ${required}.`;
  const failed: DoctorResult = { state: "failed", reason, fix: "Install it: https://nodejs.org" };
  return known(`Node ${node}${runtime}`, isSupported(node, engines.node) ? passed : failed);
}

function* checkPackages({ plugins, failures, duplicates, missing }: FoundPlugins): Generator<DoctorCheck> {
  for (const { name, reason, fix } of [...failures, ...duplicates]) yield known(name, { state: "failed", reason, fix });
  for (const name of missing) {
    yield known(name, {
      state: "failed",
      reason: "package.json names it, but it is not installed.",
      fix: "npm install",
    });
  }
  if (plugins.length > 0) return;
  yield known("Transports", { state: "failed", reason: "None is installed.", fix: installTransport });
}

/** Stands for the public URL of a tunnel, which is known when it has started. */
const tunnelUrl = "https://tunnel.invalid";

/** Checks the port, the public URL and the transports. */
export async function* checkServer(
  given: ParsedCommand["given"],
  plugins: readonly TransportPlugin[],
  reported: ReadonlySet<string> = new Set(),
): AsyncGenerator<DoctorCheck> {
  const own = given[runnerGroup.name] ?? {};
  const hasTunnel = own.tunnel === true;
  const { front, apiKey, error } = openFront(hasTunnel ? { ...own, publicUrl: tunnelUrl } : own);
  if (!front) {
    // The check of the bot fails with an invalid flag too.
    if (!reported.has(error.message)) yield { name: "Options", run: () => Promise.reject(error) };
    return;
  }
  const { settings } = front;
  const { port } = settings;
  const publicUrl = hasTunnel ? undefined : settings.publicUrl;
  const trips = publicUrl && createRoundTrips(publicUrl, boundUrl(settings.host, port));
  let server: HttpServer | undefined;
  yield {
    name: `Port ${port} on ${settings.host}`,
    async run() {
      try {
        server = await front.open(trips?.handlers ?? noRequests);
        return { state: "passed", detail: "free" };
      } catch (error) {
        if (!isRunnerError(error) || error.code !== "PORT_IN_USE") throw error;
        if (!(await isRunner(settings.host, port))) throw error;
        return { state: "skipped", reason: "in use by a running runner" };
      }
    },
  };
  try {
    yield checkAccess(apiKey, settings);
    if (hasTunnel) yield { name: "Tunnel", run: async () => ({ state: "passed", detail: await findTunnelProgram() }) };
    const isOwn = publicUrl && trips ? yield* checkPublicUrl(publicUrl, server ? trips : undefined) : false;
    // Signatures, and what else a transport sends, are not for another server.
    const context: DoctorContext = { settings, roundTrip: isOwn ? trips?.roundTrip : undefined };
    const transport = settings.transport === undefined ? undefined : presentName(settings.transport, plugins);
    const unknown = transport === undefined ? undefined : errorOf(() => checkTransportName(transport, plugins));
    if (unknown) yield { name: "--transport", run: () => Promise.reject(unknown) };
    for (const plugin of plugins) {
      const isSelected = transport === plugin.name;
      if (transport !== undefined && !isSelected && !plugin.advanced?.alwaysOpen) continue;
      yield* checkTransport(plugin, given[plugin.name] ?? {}, context, isSelected || plugins.length === 1);
    }
  } finally {
    await server?.close();
  }
}

const noRequests: RoundTrips["handlers"] = {
  request: async (_, response) => void response.writeHead(404).end(),
  upgrade: async (_, connection) => void connection.destroy(),
};

/** Whether a runner answers at a port of this machine. */
async function isRunner(host: string, port: number): Promise<boolean> {
  const address = host.replace(/^\[|\]$/g, "");
  const name = address === "0.0.0.0" || address === "::" ? "localhost" : address;
  const url = `http://${name.includes(":") ? `[${name}]` : name}:${port}/status`;
  try {
    const status: unknown = await (
      await fetch(url, { signal: AbortSignal.timeout(runnerMs), redirect: "error" })
    ).json();
    return Array.isArray(Object(status).transports);
  } catch {
    return false; // Another server, one that does not speak HTTP, or one that is silent.
  }
}

/** The server for these options of the runner, or the error that they cause. */
function openFront(given: Readonly<Record<string, unknown>> = {}) {
  try {
    const options = runnerOptionsFrom(resolveRunnerFlags({ given }));
    return { front: createFront({ ...options, logger: createLogger({ level: "silent" }) }), apiKey: options.apiKey };
  } catch (error) {
    return { error: error as Error };
  }
}

function checkAccess(apiKey: string | undefined, settings: DoctorContext["settings"]): DoctorCheck {
  const name = "Access";
  if (apiKey !== undefined) return known(name, { state: "passed", detail: "requires the API key" });
  if (!isExposed(settings)) return known(name, { state: "passed", detail: "only this machine reaches the runner" });
  const reason = "Anyone who knows the address can start calls.";
  return known(name, { state: "skipped", reason, fix: "Add --api-key\u00a0<16+\u00a0characters>." });
}

/** Returns whether requests to the public URL arrive here unchanged. */
function* checkPublicUrl(publicUrl: URL, trips: RoundTrips | undefined): Generator<DoctorCheck, boolean> {
  const name = `Public URL ${publicUrl.href}`;
  if (!trips) {
    const reason = "It cannot be checked while the port is in use.";
    yield known(name, { state: "skipped", reason, fix: "Stop the program that uses the port." });
    return false;
  }
  let isOwn = false;
  yield {
    name,
    async run() {
      const path = "/pipecat-runner-doctor";
      const sent = { method: "POST", headers: { "content-type": "text/plain" }, body: "a=1&b=%20+ü" } as const;
      let target = "";
      const { request, body } = await trips.roundTrip(path, ({ search }) => {
        target = path + search;
        return sent;
      });
      const changed = [
        ...(request.method === sent.method ? [] : ["method"]),
        ...(request.url === target ? [] : ["path or query"]),
        ...(body === sent.body ? [] : ["body"]),
      ];
      isOwn = changed.length === 0;
      if (isOwn) return { state: "passed", detail: "it leads to this port, and requests arrive unchanged" };
      return {
        state: "failed",
        reason: `The proxy changes the ${changed.join(" and the ")}, so carriers' signatures fail.`,
        fix: `Let the proxy pass requests unchanged${publicUrl.pathname === "/" ? "" : `, without the prefix ${publicUrl.pathname}`}.`,
      };
    },
  };
  yield {
    name: "WebSockets through the public URL",
    async run() {
      await trips.openSocket();
      return passed;
    },
  };
  return isOwn;
}

async function* checkTransport(
  plugin: TransportPlugin,
  given: Readonly<Record<string, unknown>>,
  context: DoctorContext,
  /** Without it, callers have no other transport. */
  isNeeded: boolean,
): AsyncGenerator<DoctorCheck> {
  const { name, options: table = {}, advanced } = plugin;
  let checks: readonly DoctorCheck[] = [];
  yield {
    name,
    async run() {
      const options = resolveOptions(table, { given, env: process.env });
      const availability: Availability = (await plugin.check?.(options, context.settings)) ?? { state: "ready" };
      const { state } = availability;
      if (state !== "unavailable") checks = advanced?.doctor?.(options, context) ?? [];
      if (state === "ready") return { state: "passed", detail: "ready" };
      return { ...availability, state: state === "unavailable" && isNeeded ? "failed" : "skipped" };
    },
  };
  for (const { name: what, run } of checks) yield { name: `${name}: ${what}`, run };
}
