import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type OptionDefinition, optionLabel, RunnerError, resolveOptions } from "@pipecat-ts/runner-core";
import type { Gateway } from "@pipecat-ts/runner-gateway";
import { type IsolationFlags, isolationFlags } from "@pipecat-ts/runner-gateway/options";
import { createLogger, resolveRunnerFlags, runnerOptionsFrom } from "@pipecat-ts/runner-host";
import { type BannerNotes, notesOf, printBanner } from "./banner.ts";
import { parsePartly, readCommandLine, runnerGroup } from "./command-line.ts";
import { commandFlags } from "./flags.ts";
import { type Keys, listenForKeys } from "./keys.ts";
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

/** A command line with `--isolation process`. Only the workers load the bot and its transports. */
export interface IsolatedCommand {
  readonly argv: readonly string[];
  readonly itself: string | undefined;
  readonly project: Project;
  readonly isolation: IsolationFlags;
  /** The runner's options that were given. */
  readonly given: Readonly<Record<string, unknown>>;
  /** The environment before `.env` files were read: each worker reads them anew. */
  readonly env: NodeJS.ProcessEnv;
}

/** Reads whether the command line or the environment asks for isolation. Throws OPTION_INVALID. */
export function readIsolation(argv: readonly string[], itself: string | undefined): IsolatedCommand | undefined {
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
  if (isolation.isolation === "none") {
    rejectWorkerOptions(given);
    return undefined;
  }
  if (direct || resolveRunnerFlags({ given }).cloud) {
    const flag = direct ? "--direct" : "--cloud";
    throw new RunnerError("OPTION_INVALID", `${flag} runs one bot at a time: there is nothing to isolate.`, {
      fix: `Omit ${flag} or --isolation.`,
    });
  }
  return { argv, itself, project, isolation, given, env };
}

/** Throws OPTION_INVALID when a flag or variable configures workers, but there are none. */
function rejectWorkerOptions(given: IsolatedCommand["given"]): void {
  for (const [name, definition] of Object.entries<OptionDefinition>(isolationFlags)) {
    if (name === "isolation") continue;
    const value = resolveOptions({ [name]: { ...definition, default: undefined } }, { given })[name];
    if (value === undefined) continue;
    const label = optionLabel(name, definition);
    throw new RunnerError("OPTION_INVALID", `${label} configures child processes, but bots run in this process.`, {
      fix: `Add --isolation process, or omit ${label}.`,
    });
  }
}

/** Accepts callers, and runs their bots in workers, until a signal. Resolves to the exit code. */
export async function runIsolated(command: IsolatedCommand): Promise<number> {
  const { itself, project, isolation, env } = command;
  const { verbose, open } = resolveOptions(commandFlags, command);
  const { createGateway } = await import("@pipecat-ts/runner-gateway");
  const tunnel = await openTunnel(tunnelSettings(command.given));
  try {
    const given = tunnel ? { ...command.given, publicUrl: tunnel.url.href } : command.given;
    const argv = tunnel ? ["--public-url", tunnel.url.href, ...command.argv] : command.argv;
    const settings = runnerOptionsFrom(resolveRunnerFlags({ given }));
    const logger = createLogger(logOptions(verbose));
    tunnel?.logTo(logger);
    boundStandardStreams(logger.countDropped);
    refreshTypeFile(project, logger);
    const entry = fileURLToPath(import.meta.resolve("pipecat-runner/worker"));
    const workers = { entry, args: [itself ?? "", ...argv], env };
    let keys: Keys | undefined;
    const onWorkerExit = () => keys?.restore();
    const gateway = createGateway({ runner: { ...settings, logger }, isolation, workers, onWorkerExit });
    // Live calls continue in the workers when this process fails.
    handleUncaughtErrors({ handleUncaught: () => false }, logger, () => process.exit(1), process);
    function reload(): Promise<void> {
      return gateway.reload().catch(() => undefined); // It is logged.
    }
    // A terminal that is closed sends SIGHUP too.
    const reloadOnHangUp = process.stdin.isTTY ? undefined : () => void reload();
    const stopped = stopOnSignals(gateway, logger, signalsOf(gateway), reloadOnHangUp);
    const hasStopped = await Promise.race([gateway.listen(), stopped.then(() => true)]);
    if (hasStopped) return 0;
    const { report, url } = gateway;
    const { transports, unauthenticatedRoutes } = report;
    const notes = report.notes as BannerNotes;
    keys = listenForKeys({
      open: () => void openBrowser(url, logger),
      restart: { description: "run changed code in new calls", run: reload },
    });
    printBanner({ ...notes, url, settings, transports, unauthenticatedRoutes, keys: keys.description });
    if (open) await openBrowser(url, logger);
    await stopped;
    return 0;
  } finally {
    await tunnel?.close();
  }
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
  await serveWorker(process, async (options) => {
    const line = await readCommandLine(argv, itself || undefined);
    if (!line) throw new Error("A worker has no help.");
    const { runner, logger } = prepareRunner(line, options);
    handleUncaughtErrors(runner, logger, () => void runner.close().finally(() => process.exit(1)), process);
    nameLeakedListeners(runner, process);
    return { runner, logger, notes: notesOf(line) };
  });
  await flushStandardStreams();
  process.exit(0);
}
