import { existsSync } from "node:fs";
import { join } from "node:path";
import { clientRoot } from "@pipecat-ts/browser-client";
import { type Logger, RunnerError, resolveOptions } from "@pipecat-ts/runner-core";
import { createLogger, createRunner, type Runner, runnerFlags, runnerOptionsFrom } from "@pipecat-ts/runner-host";
import { bannerText } from "./banner.ts";
import { readCommandLine } from "./command-line.ts";
import { failureText } from "./failure.ts";
import type { FoundPlugins } from "./find-plugins.ts";
import { commandFlags } from "./flags.ts";
import { helpText } from "./help.ts";
import { openBrowser } from "./open-browser.ts";
import { shownPath } from "./project.ts";
import { readRunnerBody } from "./runner-body.ts";
import { stopOnSignals } from "./signals.ts";
import { attributeStrayErrors } from "./stray-errors.ts";
import { readManifest } from "./version.ts";
import { watchBot } from "./watch-bot.ts";

/**
 * The program: runs what a command line asks for, and exits when it is done.
 *
 * `itself` is the bot's file when that is the program, and the command line names none. Exit codes: 0 after `--help`,
 * `--version` or a stop by a signal; 1 when it could not start or an exception outside every session was not caught; 130
 * or 143 at a second signal.
 */
export async function run(argv: readonly string[], itself?: string): Promise<void> {
  try {
    process.exit(await execute(argv, itself));
  } catch (error) {
    const verbose = argv.includes("-v") || argv.includes("--verbose");
    console.error(failureText(error, verbose, process.stderr));
    process.exit(1);
  }
}

async function execute(argv: readonly string[], itself: string | undefined): Promise<number> {
  const { version } = readManifest();
  if (argv.includes("--version")) {
    console.log(version);
    return 0;
  }
  const line = await readCommandLine(argv, itself);
  const { found, given, project } = line;
  const { help, verbose, open, direct, runnerBody } = resolveOptions(commandFlags, { given });
  if (help) {
    console.log(helpText(version, line.groups, process.stdout.columns));
    return 0;
  }
  const loaded = line.bot();
  if (found.plugins.length === 0) throw noTransport(found, project.folder);

  const logger = createLogger({ level: verbose ? "debug" : "info" });
  for (const { name, cause } of found.failures) logger.debug({ err: cause }, `${name} could not be loaded`);
  const hasClient = existsSync(join(clientRoot, "index.html"));
  const watched = line.modules && watchBot(loaded, line.modules, logger);
  const settings = runnerOptionsFrom(resolveOptions(runnerFlags, { given }));
  const runner = createRunner({
    ...settings,
    ...(hasClient && { clientRoot }),
    ...(runnerBody !== undefined && { body: readRunnerBody(runnerBody) }),
    bot: watched?.bot ?? loaded.bot,
    plugins: found.plugins,
    pluginOptions: line.pluginOptions,
    cliArgs: line.cliArgs,
    logger,
  });
  const stopped = runUntilStopped(runner, logger).finally(() => watched?.close());
  if (direct) return await Promise.race([runDirectly(runner, settings.transport), stopped]);
  await runner.listen();
  const facts = { version, bot: shownPath(loaded.file), url: runner.url, hasClient };
  const { transports, openToAll } = runner;
  console.log(bannerText({ ...facts, transports, failures: found.failures, openToAll }, process.stdout));
  if (open) await openBrowser(runner.url, logger);
  return stopped;
}

/** Resolves to the exit code once the one bot has ended. */
async function runDirectly(runner: Runner, transport: string | undefined): Promise<number> {
  // Without a server nothing else need keep the process alive while the bot waits.
  const alive = setInterval(() => undefined, 2 ** 30);
  try {
    await runner.direct(transport);
    return 0;
  } finally {
    clearInterval(alive);
  }
}

/** Resolves to the exit code once a signal, or an exception that belongs to no session, has stopped the runner. */
function runUntilStopped(runner: Runner, logger: Logger): Promise<number> {
  return new Promise((resolve, reject) => {
    const crash = () => void runner.close().then(() => resolve(1), reject);
    attributeStrayErrors(runner.sessions, logger, crash, process);
    stopOnSignals(runner, logger, process).then(() => resolve(0), reject);
  });
}

function noTransport({ failures, absent }: FoundPlugins, folder: string): RunnerError {
  const [failure] = failures;
  if (failure) {
    return new RunnerError("TRANSPORT_UNAVAILABLE", `${failure.name}: ${failure.reason}`, {
      fix: failure.fix,
      cause: failure.cause,
    });
  }
  const manifest = shownPath(join(folder, "package.json"));
  const message = `No transport is installed, so nobody can call this bot: none of the dependencies in ${manifest} is one.`;
  const fix =
    absent.length > 0
      ? `Some are not installed (${absent.join(", ")}): npm install`
      : "Install one: npm i @pipecat-ts/runner-<name>; they are listed by: npm search keywords:pipecat-runner-transport";
  return new RunnerError("TRANSPORT_UNAVAILABLE", message, { fix });
}
