import { type Logger, resolveOptions } from "@pipecat-ts/runner-core";
import type { Runner } from "@pipecat-ts/runner-host";
import { callCommand } from "./call/call-command.ts";
import { parsePartly, printVersion, readCommandLine, runnerGroup } from "./command-line.ts";
import { commandFlags } from "./flags.ts";
import { readIsolation, runIsolated } from "./isolated.ts";
import { openBrowser } from "./open-browser.ts";
import { failureText, printBanner } from "./output.ts";
import { prepareRunner } from "./prepare-runner.ts";
import { handleUncaughtErrors, nameLeakedListeners, stopOnSignals } from "./process-events.ts";
import { shownPath } from "./project.ts";
import { flushStandardStreams, prepareStandardStreams, sendConsoleToStderr } from "./standard-streams.ts";
import { refreshTypeFile, writeTypeFile } from "./type-file.ts";

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
  const calls = itself === undefined && argv[0] === "call";
  if (!version && !help && !writesTypes && !calls) sendConsoleToStderr();
  let code = 1;
  try {
    code = calls
      ? await callCommand(argv.slice(1))
      : version
        ? printVersion()
        : writesTypes
          ? printTypeFile()
          : await execute(argv, itself);
  } catch (error) {
    console.error(failureText(error, verbose === true, process.stderr));
  }
  await flushStandardStreams();
  process.exit(code);
}

async function execute(argv: readonly string[], itself: string | undefined): Promise<number> {
  const isolated = readIsolation(argv, itself);
  if (isolated) return await runIsolated(isolated);
  const line = await readCommandLine(argv, itself);
  if (line === undefined) return 0;
  const { open, direct } = resolveOptions(commandFlags, { given: line.given });
  const { runner, logger, watched, settings } = prepareRunner(line);
  refreshTypeFile(line.project, logger);
  const end = stopOnEvents(runner, logger);
  const stopped = end.stopped.finally(() => watched?.close());
  if (direct) {
    await Promise.race([runDirectly(runner, settings.transport), stopped]);
    return end.exitCode;
  }
  await runner.listen();
  const { url, transports, unauthenticatedRoutes } = runner;
  const { missing } = line;
  const { failures } = line.found;
  printBanner({ bot: shownPath(line.bot.file), url, settings, transports, failures, missing, unauthenticatedRoutes });
  if (open) await openBrowser(url, logger);
  await stopped;
  return end.exitCode;
}

function printTypeFile(): number {
  const { file, packages, changed } = writeTypeFile(process.cwd());
  console.log(`${shownPath(file)} ${changed ? "now imports" : "already imports"} the types of ${packages.join(", ")}`);
  return 0;
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
