import { type CloseReason, isFault, type Logger, resolveOptions } from "@pipecat-ts/runner-core";
import type { Runner } from "@pipecat-ts/runner-host";
import { notesOf, printBanner } from "./banner.ts";
import { type CommandLine, parsePartly, printVersion, readCommandLine, runnerGroup } from "./command-line.ts";
import { type CommandFlags, commandFlags } from "./flags.ts";
import { readGatewayCommand, runGateway } from "./gateway.ts";
import { listenForKeys } from "./keys.ts";
import { openBrowser } from "./open-browser.ts";
import { failureText } from "./output.ts";
import { prepareRunner } from "./prepare-runner.ts";
import { handleUncaughtErrors, nameLeakedListeners, stopOnSignals } from "./process-events.ts";
import { canRestart, restartProgram } from "./restart.ts";
import { flushStandardStreams, prepareStandardStreams, sendConsoleToStderr } from "./standard-streams.ts";
import { subcommands } from "./subcommands.ts";
import { openTunnel, type Tunnel, tunnelSettings } from "./tunnel.ts";
import { refreshTypeFile } from "./type-file.ts";

/**
 * The program: runs a command line, and exits when it is done.
 *
 * `itself` is the bot's file when that file is the program; the command line then names no bot. Exit codes: 0 after
 * `--help`, `--version` or a stop by a signal; 1 when the runner could not start, when the bot of `--direct` failed, or after an
 * uncaught exception outside every session; 130 or 143 after a second signal.
 */
export async function run(argv: readonly string[], itself?: string): Promise<void> {
  const { version, help, verbose } = parsePartly(argv, [runnerGroup]).given[runnerGroup.name] ?? {};
  prepareStandardStreams();
  const subcommand = itself === undefined ? subcommands.find(({ name }) => name === argv[0]) : undefined;
  if (!version && !help && !subcommand) sendConsoleToStderr();
  const env = { ...process.env };
  let code = 1;
  let restarts = false;
  function restart(): Promise<void> {
    restarts = true;
    process.kill(process.pid, "SIGINT");
    return new Promise(() => undefined); // A second signal would exit at once.
  }
  try {
    if (subcommand) code = await subcommand.run(argv.slice(1));
    else code = version ? printVersion() : await execute(argv, itself, restart);
  } catch (error) {
    console.error(failureText(error, verbose === true, process.stderr));
  }
  await flushStandardStreams();
  if (restarts && code === 0) restartProgram(env);
  process.exit(code);
}

/** `restart` stops the runner like SIGINT, and starts the program again. Its promise never resolves. */
async function execute(
  argv: readonly string[],
  itself: string | undefined,
  restart: () => Promise<void>,
): Promise<number> {
  const command = readGatewayCommand(argv, itself);
  if (command) return await runGateway(command);
  const line = await readCommandLine(argv, itself, subcommands);
  if (line === undefined) return 0;
  const { open, direct } = resolveOptions(commandFlags, { given: line.given });
  const tunnel = await openTunnel(tunnelSettings(line.given));
  try {
    const given = tunnel ? { ...line.given, publicUrl: tunnel.url.href } : line.given;
    return await serve({ ...line, given }, { open, direct }, tunnel, restart);
  } finally {
    await tunnel?.close();
  }
}

/** Runs the bot until a signal, or directly until it ends. Resolves to the exit code. */
async function serve(
  line: CommandLine,
  { open, direct }: Pick<CommandFlags, "open" | "direct">,
  tunnel: Tunnel | undefined,
  restart: () => Promise<void>,
): Promise<number> {
  let hasFailed = false;
  function changed(_session: object, reason?: CloseReason): void {
    hasFailed ||= reason !== undefined && isFault(reason);
  }
  const { runner, logger, watched, settings } = prepareRunner(line, direct ? { observer: { changed } } : {});
  tunnel?.logTo(logger);
  refreshTypeFile(line.project, logger);
  const end = stopOnEvents(runner, logger);
  const stopped = end.stopped.finally(() => watched?.close());
  if (direct) {
    await Promise.race([runDirectly(runner, settings.transport), stopped]);
    return hasFailed ? 1 : end.exitCode;
  }
  await runner.listen();
  if (end.hasBegun) {
    await stopped;
    return end.exitCode;
  }
  const { url, transports, unauthenticatedRoutes } = runner;
  const keys = listenForKeys({
    open: () => void openBrowser(url, logger),
    restart: canRestart ? { description: "restart", run: restart } : undefined,
  });
  printBanner({ ...notesOf(line), url, settings, transports, unauthenticatedRoutes, keys: keys.description });
  if (open) await openBrowser(url, logger);
  await stopped;
  return end.exitCode;
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
  /** Whether the runner is being stopped. */
  readonly hasBegun: boolean;
  /** Resolves when a signal, or an uncaught exception outside every session, has stopped the runner. */
  readonly stopped: Promise<void>;
  /** 1 after an uncaught exception outside every session, also if a signal or the bot's end stops the runner first; else 0. */
  readonly exitCode: number;
}

function stopOnEvents(runner: Runner, logger: Logger): ProgramEnd {
  let exitCode = 0;
  let hasBegun = false;
  function stop(how: "drain" | "close"): Promise<void> {
    hasBegun = true;
    return runner[how]();
  }
  const stopped = new Promise<void>((resolve, reject) => {
    function crash(): void {
      exitCode = 1;
      stop("close").then(resolve, reject);
    }
    handleUncaughtErrors(runner, logger, crash, process);
    nameLeakedListeners(runner, process);
    const stoppable = { sessions: runner.sessions, drain: () => stop("drain"), close: () => stop("close") };
    stopOnSignals(stoppable, logger, process).then(resolve, reject);
  });
  return {
    stopped,
    get hasBegun() {
      return hasBegun;
    },
    get exitCode() {
      return exitCode;
    },
  };
}
