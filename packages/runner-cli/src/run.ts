import { existsSync } from "node:fs";
import { join } from "node:path";
import { clientRoot } from "@pipecat-ts/browser-client";
import { type Logger, RunnerError, resolveOptions } from "@pipecat-ts/runner-core";
import { createFileStorage } from "@pipecat-ts/runner-files";
import { createLogger, createRunner, type Runner, runnerFlags, runnerOptionsFrom } from "@pipecat-ts/runner-host";
import { type CommandLine, parsePartly, printVersion, readCommandLine, runnerGroup } from "./command-line.ts";
import { commandFlags } from "./flags.ts";
import { readManifest } from "./manifest.ts";
import { bannerText, failureText } from "./output.ts";
import type { FoundPlugins } from "./plugins.ts";
import { handleUncaughtErrors, nameLeakedListeners, stopOnSignals } from "./process-events.ts";
import { type Project, shownPath } from "./project.ts";
import { readRunnerBody } from "./runner-body.ts";
import {
  boundStandardStreams,
  flushStandardStreams,
  prepareStandardStreams,
  sendConsoleToStderr,
} from "./standard-streams.ts";
import { refreshTypeFile, writeTypeFile } from "./type-file.ts";
import { watchBot } from "./watch.ts";

/**
 * The program: runs a command line, and exits when it is done.
 *
 * `itself` is the bot's file when that file is the program; the command line then names no bot. Exit codes: 0 after
 * `--help`, `--version` or a stop by a signal; 1 when the runner could not start, or after an uncaught exception outside
 * every session; 130 or 143 after a second signal.
 */
export async function run(argv: readonly string[], itself?: string): Promise<void> {
  const { version, help, verbose } = parsePartly(argv, [runnerGroup]).given[runnerGroup.name] ?? {};
  prepareStandardStreams();
  const writesTypes = itself === undefined && argv.length === 1 && argv[0] === "types";
  if (!version && !help && !writesTypes) sendConsoleToStderr();
  let code = 1;
  try {
    code = version ? printVersion() : writesTypes ? printTypeFile() : await execute(argv, itself);
  } catch (error) {
    console.error(failureText(error, verbose === true, process.stderr));
  }
  await flushStandardStreams();
  process.exit(code);
}

async function execute(argv: readonly string[], itself: string | undefined): Promise<number> {
  const line = await readCommandLine(argv, itself);
  if (line === undefined) return 0;
  const { found, given, bot } = line;
  const { verbose, open, direct, runnerBody, uploadsFolder, uploadsFolderMaxFiles } = resolveOptions(commandFlags, {
    given,
  });
  if (found.plugins.length === 0) throw noTransport(line);

  const logger = createLogger({ level: verbose ? "debug" : "info" });
  boundStandardStreams(logger.countDropped);
  for (const { name, cause } of found.failures) logger.debug({ err: cause, package: name }, "transport not loaded");
  for (const { reason, fix } of found.duplicates) logger.warn(`${reason} ${fix}`);
  refreshTypes(line.project, logger);
  const hasClient = existsSync(join(clientRoot, "index.html"));
  const watched = line.modules && watchBot(bot, line.modules, logger);
  const settings = withPresentName(runnerOptionsFrom(resolveOptions(runnerFlags, { given })), found.plugins, logger);
  const runner = createRunner({
    ...settings,
    ...(hasClient && { clientRoot }),
    ...(runnerBody !== undefined && { body: readRunnerBody(runnerBody) }),
    ...(uploadsFolder !== undefined && {
      fileStorage: createFileStorage({ folder: uploadsFolder, maxFiles: uploadsFolderMaxFiles }),
    }),
    bot: watched?.bot ?? bot.bot,
    plugins: found.plugins,
    pluginOptions: line.pluginOptions,
    cliArgs: line.cliArgs,
    logger,
  });
  const end = stopOnEvents(runner, logger);
  const stopped = end.stopped.finally(() => watched?.close());
  if (direct) {
    await Promise.race([runDirectly(runner, settings.transport), stopped]);
    return end.exitCode;
  }
  await runner.listen();
  const { url, transports, unauthenticatedRoutes } = runner;
  const { version } = readManifest();
  const { maxSessions = Number.POSITIVE_INFINITY } = settings;
  const facts = {
    version,
    bot: shownPath(bot.file),
    url,
    hasClient,
    maxSessions,
    transports,
    failures: found.failures,
    missing: line.missing,
  };
  // On stderr, because stdout is for the log.
  console.error(bannerText({ ...facts, unauthenticatedRoutes }, process.stderr));
  if (open) await openBrowser(url, logger);
  await stopped;
  return end.exitCode;
}

function printTypeFile(): number {
  const { file, packages, changed } = writeTypeFile(process.cwd());
  console.log(`${shownPath(file)} ${changed ? "now imports" : "already imports"} the types of ${packages.join(", ")}`);
  return 0;
}

/** A runner whose folder is read-only starts all the same. */
function refreshTypes(project: Project, logger: Logger): void {
  try {
    const update = refreshTypeFile(project);
    if (update?.changed) logger.info({ file: shownPath(update.file), packages: update.packages }, "types written");
  } catch (err) {
    logger.warn({ err }, "types not written");
  }
}

/** Replaces a former name of a transport in `--transport`, and warns. */
function withPresentName<Options extends { readonly transport?: string | undefined }>(
  options: Options,
  plugins: FoundPlugins["plugins"],
  logger: Logger,
): Options {
  const { transport = "" } = options;
  const renamed = plugins.find(({ advanced }) => advanced?.formerNames?.includes(transport));
  if (renamed === undefined || plugins.some(({ name }) => name === transport)) return options;
  logger.warn({ transport, fix: `Use --transport ${renamed.name}.` }, "deprecated name of a transport");
  return { ...options, transport: renamed.name };
}

/** Resolves when the bot has ended. */
async function runDirectly(runner: Runner, transport: string | undefined): Promise<void> {
  // Keeps the process alive while the bot waits: there may be no server or socket that does.
  const alive = setInterval(() => undefined, 2 ** 30);
  try {
    await runner.direct(transport);
  } finally {
    clearInterval(alive);
  }
}

/** The end of the program. */
interface ProgramEnd {
  /** Resolves when a signal, or an uncaught exception outside every session, has stopped the runner. */
  readonly stopped: Promise<void>;
  /** 1 after an uncaught exception outside every session, also if a signal or the bot's end stops the runner first; else 0. */
  readonly exitCode: number;
}

function stopOnEvents(runner: Runner, logger: Logger): ProgramEnd {
  let exitCode = 0;
  const stopped = new Promise<void>((resolve, reject) => {
    function crash(): void {
      exitCode = 1;
      runner.close().then(resolve, reject);
    }
    handleUncaughtErrors(runner, logger, crash, process);
    nameLeakedListeners(runner, process);
    stopOnSignals(runner, logger, process).then(resolve, reject);
  });
  return {
    stopped,
    get exitCode() {
      return exitCode;
    },
  };
}

function noTransport({ found, project }: Pick<CommandLine, "found" | "project">): RunnerError {
  const { failures, missing }: FoundPlugins = found;
  const [failure] = failures;
  if (failure) {
    const { name, reason, fix, cause } = failure;
    return new RunnerError("TRANSPORT_UNAVAILABLE", `${name}: ${reason}`, { fix, cause });
  }
  const manifest = shownPath(join(project.folder, "package.json"));
  const message = `No transport is installed: ${manifest} has no dependency that is a transport.`;
  const fix =
    missing.length > 0
      ? `Install the missing dependencies (${missing.join(", ")}): npm install`
      : "Install one: npm i @pipecat-ts/runner-<name>. To list them: npm search keywords:pipecat-runner-transport";
  return new RunnerError("TRANSPORT_UNAVAILABLE", message, { fix });
}

/** Opens a page in the desktop's browser. Never rejects: a failure is logged. */
export async function openBrowser(url: URL, logger: Logger): Promise<void> {
  const fail = (err: unknown) => logger.warn({ err }, `cannot open a browser; open ${url.href} yourself`);
  try {
    const { default: open } = await import("open");
    const browser = await open(url.href);
    browser.once("error", fail);
  } catch (error) {
    fail(error);
  }
}
