import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { clientRoot } from "@pipecat-ts/browser-client";
import { type Logger, RunnerError, resolveOptions } from "@pipecat-ts/runner-core";
import { createLogger, createRunner, type Runner, runnerFlags, runnerOptionsFrom } from "@pipecat-ts/runner-host";
import { bannerText } from "./banner.ts";
import { type Command, parseCommand } from "./command.ts";
import { loadEnvironment } from "./environment.ts";
import { failureText } from "./failure.ts";
import { findBot, looksLikeBot } from "./find-bot.ts";
import { type FoundPlugins, findPlugins } from "./find-plugins.ts";
import { commandFlags, type FlagGroup } from "./flags.ts";
import { helpText } from "./help.ts";
import { loadBot } from "./load-bot.ts";
import { openBrowser } from "./open-browser.ts";
import { findProject, shownPath } from "./project.ts";
import { stopOnSignals } from "./signals.ts";
import { attributeStrayErrors } from "./stray-errors.ts";
import { readManifest } from "./version.ts";

/** The name of the runner's own options, over them in `--help`. */
const own = "Options";

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
  // The flags depend on the project's transports, and the project on the bot: so the bot is guessed before they are known.
  const guess = itself ?? argv.slice(0, argv.indexOf("--") >>> 0).find(looksLikeBot);
  const folder = guess === undefined ? process.cwd() : dirname(resolve(guess));
  const project = findProject(folder);
  loadEnvironment([folder, project.folder]);
  const found = await findPlugins(project);
  const groups: FlagGroup[] = [
    { name: own, table: { ...runnerFlags, ...commandFlags } },
    ...found.plugins.map(({ name, options = {} }) => ({ name, table: options })),
  ];
  const command = parseCommand(argv, groups, itself === undefined);
  const { help, verbose, open } = resolveOptions(commandFlags, { given: command.given[own] ?? {} });
  if (help) {
    console.log(helpText(version, groups, process.stdout.columns));
    return 0;
  }
  const file = itself ?? findBot(command.bot, process.cwd());
  const bot = await loadBot(file);
  if (found.plugins.length === 0) throw noTransport(found, project.folder);

  const logger = createLogger({ level: verbose ? "debug" : "info" });
  for (const { name, cause } of found.failures) logger.debug({ err: cause }, `${name} could not be loaded`);
  const hasClient = existsSync(join(clientRoot, "index.html"));
  const runner = createRunner({
    ...runnerOptionsFrom(resolveOptions(runnerFlags, { given: command.given[own] ?? {} })),
    ...(hasClient && { clientRoot }),
    bot,
    plugins: found.plugins,
    pluginOptions: pluginOptionsOf(command),
    cliArgs: command.cliArgs,
    logger,
  });
  const stopped = runUntilStopped(runner, logger);
  await runner.listen();
  const facts = { version, bot: shownPath(file), url: runner.url, hasClient };
  const { transports, openToAll } = runner;
  console.log(bannerText({ ...facts, transports, failures: found.failures, openToAll }, process.stdout));
  if (open) await openBrowser(runner.url, logger);
  return stopped;
}

/** Resolves to the exit code once a signal, or an exception that belongs to no session, has stopped the runner. */
function runUntilStopped(runner: Runner, logger: Logger): Promise<number> {
  return new Promise((resolve, reject) => {
    const crash = () => void runner.close().then(() => resolve(1), reject);
    attributeStrayErrors(runner.sessions, logger, crash, process);
    stopOnSignals(runner, logger, process).then(() => resolve(0), reject);
  });
}

function pluginOptionsOf({ given }: Command): Command["given"] {
  const { [own]: _, ...ofPlugins } = given;
  return ofPlugins;
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
