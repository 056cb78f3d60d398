import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { clientRoot } from "@pipecat-ts/browser-client";
import { type Logger, RunnerError, resolveOptions } from "@pipecat-ts/runner-core";
import { createLogger, createRunner, type Runner, runnerFlags, runnerOptionsFrom } from "@pipecat-ts/runner-host";
import { type CommandLine, parsePartly, printVersion, readCommandLine, runnerGroup } from "./command-line.ts";
import { commandFlags } from "./flags.ts";
import { readManifest } from "./manifest.ts";
import { bannerText, failureText } from "./output.ts";
import type { FoundPlugins } from "./plugins.ts";
import { handleUncaughtErrors, stopOnSignals } from "./process-events.ts";
import { shownPath } from "./project.ts";
import { watchBot } from "./watch.ts";

/**
 * The program: runs a command line, and exits when it is done.
 *
 * `itself` is the bot's file when that file is the program; the command line then names no bot. Exit codes: 0 after
 * `--help`, `--version` or a stop by a signal; 1 when the runner could not start, or after an uncaught exception outside
 * every session; 130 or 143 after a second signal.
 */
export async function run(argv: readonly string[], itself?: string): Promise<void> {
  const { version, verbose } = parsePartly(argv, [runnerGroup]).given[runnerGroup.name] ?? {};
  try {
    process.exit(version ? printVersion() : await execute(argv, itself));
  } catch (error) {
    console.error(failureText(error, verbose === true, process.stderr));
    process.exit(1);
  }
}

async function execute(argv: readonly string[], itself: string | undefined): Promise<number> {
  const line = await readCommandLine(argv, itself);
  if (line === undefined) return 0;
  const { found, given, bot } = line;
  const { verbose, open, direct, runnerBody } = resolveOptions(commandFlags, { given });
  if (found.plugins.length === 0) throw noTransport(line);

  const logger = createLogger({ level: verbose ? "debug" : "info" });
  for (const { name, cause } of found.failures) logger.debug({ err: cause, package: name }, "transport not loaded");
  for (const { reason, fix } of found.duplicates) logger.warn(`${reason} ${fix}`);
  const hasClient = existsSync(join(clientRoot, "index.html"));
  const watched = line.modules && watchBot(bot, line.modules, logger);
  const settings = runnerOptionsFrom(resolveOptions(runnerFlags, { given }));
  const runner = createRunner({
    ...settings,
    ...(hasClient && { clientRoot }),
    ...(runnerBody !== undefined && { body: readRunnerBody(runnerBody) }),
    bot: watched?.bot ?? bot.bot,
    plugins: found.plugins,
    pluginOptions: line.pluginOptions,
    cliArgs: line.cliArgs,
    logger,
  });
  const stopped = runUntilStopped(runner, logger).finally(() => watched?.close());
  if (direct) return await Promise.race([runDirectly(runner, settings.transport), stopped]);
  await runner.listen();
  const { url, transports, unauthenticatedRoutes } = runner;
  const { version } = readManifest();
  const facts = { version, bot: shownPath(bot.file), url, hasClient, transports, failures: found.failures };
  console.log(bannerText({ ...facts, unauthenticatedRoutes }, process.stdout));
  if (open) await openBrowser(url, logger);
  return stopped;
}

/** Resolves to the exit code when the bot has ended. */
async function runDirectly(runner: Runner, transport: string | undefined): Promise<number> {
  // Keeps the process alive while the bot waits: there may be no server or socket that does.
  const alive = setInterval(() => undefined, 2 ** 30);
  try {
    await runner.direct(transport);
    return 0;
  } finally {
    clearInterval(alive);
  }
}

/** Resolves to the exit code when a signal, or an uncaught exception outside every session, has stopped the runner. */
function runUntilStopped(runner: Runner, logger: Logger): Promise<number> {
  return new Promise((resolve, reject) => {
    const crash = () => void runner.close().then(() => resolve(1), reject);
    handleUncaughtErrors(runner, logger, crash, process);
    stopOnSignals(runner, logger, process).then(() => resolve(0), reject);
  });
}

/** Parses a file of JSON. Throws OPTION_INVALID, which names the flag. */
function readRunnerBody(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    const { message } = cause as Error;
    throw new RunnerError("OPTION_INVALID", `--runner-body: ${shownPath(file)} is not a JSON file: ${message}.`, {
      fix: "Name a file that contains the body as JSON.",
      cause,
    });
  }
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
