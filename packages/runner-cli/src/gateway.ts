import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import {
  isRunnerError,
  type Logger,
  type OptionDefinition,
  optionLabel,
  RunnerError,
  resolveOptions,
} from "@pipecat-ts/runner-core";
import type { Directory } from "@pipecat-ts/runner-fleet";
import { type FleetFlags, fleetFlags } from "@pipecat-ts/runner-fleet/options";
import type { Fleet, Gateway, WorkerRunner, WorkerRunnerOptions } from "@pipecat-ts/runner-gateway";
import { type IsolationFlags, isolationFlags } from "@pipecat-ts/runner-gateway/options";
import { createLogger, type Runner, resolveRunnerFlags, runnerOptionsFrom } from "@pipecat-ts/runner-host";
import { type BannerNotes, notesOf, printBanner } from "./banner.ts";
import { parsePartly, readCommandLine, runnerGroup } from "./command-line.ts";
import { commandFlags } from "./flags.ts";
import { openDirectory, requireFleetSecret } from "./fleet-directory.ts";
import { type Keys, listenForKeys } from "./keys.ts";
import { readManifest } from "./manifest.ts";
import { openBrowser } from "./open-browser.ts";
import { logOptions, prepareRunner } from "./prepare-runner.ts";
import { handleUncaughtErrors, nameLeakedListeners, stopOnSignals } from "./process-events.ts";
import { findProject, loadEnvironment, type Project } from "./project.ts";
import {
  boundStandardStreams,
  flushStandardStreams,
  prepareStandardStreams,
  sendConsoleToStderr,
} from "./standard-streams.ts";
import { openTunnel, tunnelSettings } from "./tunnel.ts";
import { refreshTypeFile } from "./type-file.ts";

/** A command line with `--isolation process`, where only the workers load the bot and its transports, or with `--fleet`. */
export interface GatewayCommand {
  readonly argv: readonly string[];
  readonly itself: string | undefined;
  readonly project: Project;
  readonly isolation: IsolationFlags;
  readonly fleet: FleetFlags;
  /** The runner's options that were given. */
  readonly given: Readonly<Record<string, unknown>>;
  /** The environment before `.env` files were read: each worker reads them anew. */
  readonly env: NodeJS.ProcessEnv;
}

/** Reads whether the command line or the environment asks for isolation or a fleet. Throws OPTION_INVALID. */
export function readGatewayCommand(argv: readonly string[], itself: string | undefined): GatewayCommand | undefined {
  const parsed = parsePartly(argv, [runnerGroup]);
  const given = parsed.given[runnerGroup.name] ?? {};
  const first = itself ?? parsed.bot;
  const folder = first === undefined ? process.cwd() : dirname(resolve(first));
  const project = findProject(folder);
  const env = { ...process.env };
  loadEnvironment([folder, project.folder]);
  const { help, direct } = resolveOptions(commandFlags, { given });
  if (help) return undefined;
  const isolation = resolveOptions(isolationFlags, { given });
  const fleet = resolveOptions(fleetFlags, { given });
  const isIsolated = isolation.isolation === "process";
  if (!isIsolated)
    rejectOptions(
      isolationFlags,
      given,
      "isolation",
      "child processes, but bots run in this process",
      "--isolation process",
    );
  if (fleet.fleet === undefined)
    rejectOptions(fleetFlags, given, "fleetSecret", "a fleet, but this machine runs alone", "--fleet <url>");
  if (!isIsolated && fleet.fleet === undefined) return undefined;
  const { cloud } = resolveRunnerFlags({ given });
  if (direct || cloud) {
    const flag = direct ? "--direct" : "--cloud";
    const other = isIsolated ? "--isolation" : "--fleet";
    throw new RunnerError("OPTION_INVALID", `${flag} runs one bot at a time, and excludes ${other}.`, {
      fix: `Omit ${flag} or ${other}.`,
    });
  }
  return { argv, itself, project, isolation, fleet, given, env };
}

/** Throws OPTION_INVALID when a flag or variable of a table, other than `except`, is set without the flag that it belongs to. */
function rejectOptions(
  table: Readonly<Record<string, OptionDefinition>>,
  given: GatewayCommand["given"],
  except: string,
  configured: string,
  missing: string,
): void {
  for (const [name, definition] of Object.entries(table)) {
    if (name === except) continue;
    const value = resolveOptions({ [name]: { ...definition, default: undefined } }, { given })[name];
    if (value === undefined) continue;
    const label = optionLabel(name, definition);
    throw new RunnerError("OPTION_INVALID", `${label} configures ${configured}.`, {
      fix: `Add ${missing}, or omit ${label}.`,
    });
  }
}

/** Accepts callers, and runs their bots, until a signal. Resolves to the exit code. */
export async function runGateway(command: GatewayCommand): Promise<number> {
  const { project, isolation } = command;
  const { verbose, open } = resolveOptions(commandFlags, command);
  const { createGateway, createInProcessStarter } = await import("@pipecat-ts/runner-gateway");
  const tunnel = await openTunnel(tunnelSettings(command.given));
  try {
    const given = tunnel ? { ...command.given, publicUrl: tunnel.url.href } : command.given;
    const argv = tunnel ? ["--public-url", tunnel.url.href, ...command.argv] : command.argv;
    const settings = runnerOptionsFrom(resolveRunnerFlags({ given }));
    const logger = createLogger(logOptions(verbose));
    tunnel?.logTo(logger);
    boundStandardStreams(logger.countDropped);
    refreshTypeFile(project, logger);
    const { fleet: directory } = command.fleet;
    const fleet =
      directory === undefined
        ? undefined
        : await createFleetOf(command.fleet, await openDirectory(directory, project), logger);
    let keys: Keys | undefined;
    const isIsolated = isolation.isolation === "process";
    const gateway: Gateway = createGateway({
      runner: { ...settings, logger },
      fleet,
      onWorkerExit: () => keys?.restore(),
      ...(isIsolated
        ? { isolation, workers: childProcesses({ ...command, argv }) }
        : {
            isolation: {
              ...isolation,
              workerSessions: settings.maxSessions ?? Number.POSITIVE_INFINITY,
              maxWorkers: 1,
            },
            workers: createInProcessStarter((options) =>
              openRunner(argv, command.itself, options, () => void gateway.close().finally(() => process.exit(1))),
            ),
          }),
    });
    // Live calls continue in the workers when this process fails.
    if (isIsolated) handleUncaughtErrors({ handleUncaught: () => false }, logger, () => process.exit(1), process);
    function reload(): Promise<void> {
      return gateway.reload().catch(() => undefined); // It is logged.
    }
    // A terminal that is closed sends SIGHUP too.
    const reloadOnHangUp = process.stdin.isTTY || !isIsolated ? undefined : () => void reload();
    const stopped = stopOnSignals(gateway, logger, signalsOf(gateway), reloadOnHangUp);
    try {
      await gateway.listen();
    } catch (error) {
      if (!isRunnerError(error) || error.code !== "DRAINING") throw error;
      await stopped;
      return 0;
    }
    const { report, url } = gateway;
    const { transports, unauthenticatedRoutes } = report;
    const notes = report.notes as BannerNotes;
    keys = listenForKeys({
      open: () => void openBrowser(url, logger),
      restart: isIsolated ? { description: "run changed code in new calls", run: reload } : undefined,
    });
    printBanner({ ...notes, url, settings, transports, unauthenticatedRoutes, keys: keys.description });
    if (open) await openBrowser(url, logger);
    await stopped;
    return 0;
  } finally {
    await tunnel?.close();
  }
}

function childProcesses({ itself, argv, env }: GatewayCommand) {
  return { entry: fileURLToPath(import.meta.resolve("pipecat-runner/worker")), args: [itself ?? "", ...argv], env };
}

/** This machine's part of the fleet that the options name. Throws OPTION_INVALID. */
export async function createFleetOf(flags: FleetFlags, directory: Directory, logger: Logger): Promise<Fleet> {
  const { createFleet } = await import("@pipecat-ts/runner-fleet");
  return createFleet({
    directory,
    secret: requireFleetSecret(flags.fleetSecret),
    listen: flags.fleetListen,
    address: flags.fleetAddress,
    version: readManifest().version,
    logger,
    onDrain: () => process.kill(process.pid, "SIGTERM"),
  });
}

/** The signals of this process. A second one ends the workers too. */
function signalsOf(gateway: Gateway): Parameters<typeof stopOnSignals>[2] {
  return {
    on: (signal, listener) => process.on(signal, listener),
    off: (signal, listener) => process.off(signal, listener),
    exit(code) {
      gateway.kill();
      process.exit(code);
    },
  };
}

/** The program of a worker: `args` are the bot's file if it is the program, or "", and the command line of the gateway. */
export async function runWorker([itself, ...argv]: readonly string[]): Promise<void> {
  prepareStandardStreams();
  sendConsoleToStderr();
  const { serveWorker } = await import("@pipecat-ts/runner-gateway/worker");
  await serveWorker(process, (options) =>
    openRunner(argv, itself || undefined, options, (runner) => void runner.close().finally(() => process.exit(1))),
  );
  await flushStandardStreams();
  process.exit(0);
}

/** Creates the runner of a worker. `crash` is called for an exception outside every session. */
async function openRunner(
  argv: readonly string[],
  itself: string | undefined,
  options: WorkerRunnerOptions,
  crash: (runner: Runner) => void,
): Promise<WorkerRunner> {
  const line = await readCommandLine(argv, itself);
  if (!line) throw new Error("A worker has no help.");
  const { runner, logger } = prepareRunner(line, options);
  handleUncaughtErrors(runner, logger, () => crash(runner), process);
  nameLeakedListeners(runner, process);
  return { runner, logger, notes: notesOf(line) };
}
