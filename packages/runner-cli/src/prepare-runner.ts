import { join } from "node:path";
import { clientRoot } from "@pipecat-ts/browser-client";
import { createCapture } from "@pipecat-ts/runner-capture";
import { type Logger, RunnerError, resolveOptions } from "@pipecat-ts/runner-core";
import { createFileStorage } from "@pipecat-ts/runner-files";
import {
  type CountingLogger,
  createLogger,
  createRunner,
  type LoggerOptions,
  type Runner,
  type RunnerOptions,
  resolveRunnerFlags,
  runnerOptionsFrom,
} from "@pipecat-ts/runner-host";
import { hasClient } from "./banner.ts";
import { type CommandLine, runnerGroup } from "./command-line.ts";
import { commandFlags, type FlagGroup } from "./flags.ts";
import { type FoundPlugins, installTransport, presentName } from "./plugins.ts";
import { shownPath } from "./project.ts";
import { readRunnerBody } from "./runner-body.ts";
import { boundStandardStreams } from "./standard-streams.ts";
import { type WatchedBot, watchBot } from "./watch.ts";

/** The runner of a command line. */
export interface PreparedRunner {
  readonly runner: Runner;
  readonly logger: CountingLogger;
  /** With `--watch`. */
  readonly watched: WatchedBot | undefined;
  readonly settings: ReturnType<typeof runnerOptionsFrom>;
}

/** Creates the runner of a command line, and its logger. Opens no port. `more` are options that have no flag. */
export function prepareRunner(line: CommandLine, more: Partial<RunnerOptions> = {}): PreparedRunner {
  const { found, given, bot } = line;
  const flags = resolveOptions(commandFlags, { given });
  const { verbose, runnerBody, uploadsFolder, uploadsFolderMaxFiles } = flags;
  if (found.plugins.length === 0) throw noTransport(line);

  const logger = createLogger(logOptions(verbose));
  boundStandardStreams(logger.countDropped);
  for (const { name, cause } of found.failures) logger.debug({ err: cause, package: name }, "transport not loaded");
  for (const { reason, fix } of found.duplicates) logger.warn(`${reason} ${fix}`);
  const watched = line.modules && watchBot(bot, line.modules, logger);
  const settings = withPresentName(runnerOptionsFrom(resolveRunnerFlags({ given })), found.plugins, logger);
  const runner = createRunner({
    ...settings,
    ...(hasClient() && { clientRoot }),
    ...(runnerBody !== undefined && { body: readRunnerBody(runnerBody) }),
    ...(uploadsFolder !== undefined && {
      fileStorage: createFileStorage({ folder: uploadsFolder, maxFiles: uploadsFolderMaxFiles }),
    }),
    ...(flags.capture !== undefined && {
      wire: createCapture({
        folder: flags.capture,
        media: flags.captureMedia,
        maxFiles: flags.captureMaxFiles,
        secrets: secretsOf(line),
        logger,
      }),
    }),
    bot: watched?.bot ?? bot.bot,
    plugins: found.plugins,
    pluginOptions: line.pluginOptions,
    cliArgs: line.cliArgs,
    logger,
    ...more,
  });
  return { runner, logger, watched, settings };
}

/** Without `-v`, the log has the place and the fix of an error instead of its stack, if a person reads it. */
export function logOptions(verbose: boolean): LoggerOptions {
  return verbose ? { level: "debug" } : { level: "info", stackHint: "-v shows the stack." };
}

/** The values of all secret settings: of the runner and of every transport. */
export function secretsOf({
  found,
  given,
  pluginOptions,
}: Pick<CommandLine, "found" | "given" | "pluginOptions">): readonly string[] {
  const groups = found.plugins.map(({ name, options = {} }): FlagGroup => ({ name, table: options }));
  return [
    { ...runnerGroup, own: given },
    ...groups.map((group) => ({ ...group, own: pluginOptions[group.name] ?? {} })),
  ].flatMap(({ table, own }) => {
    const values = resolveOptions(table, { given: own });
    const secrets = Object.keys(table).filter((name) => table[name]?.secret === true);
    return secrets.flatMap((name) => values[name] ?? []).map(String);
  });
}

/** Replaces a former name of a transport in `--transport`, and warns. */
function withPresentName<Options extends { readonly transport?: string | undefined }>(
  options: Options,
  plugins: FoundPlugins["plugins"],
  logger: Logger,
): Options {
  const { transport } = options;
  if (transport === undefined) return options;
  const name = presentName(transport, plugins);
  if (name !== transport) logger.warn({ transport, fix: `Use --transport ${name}.` }, "deprecated name of a transport");
  return { ...options, transport: name };
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
    missing.length > 0 ? `Install the missing dependencies (${missing.join(", ")}): npm install` : installTransport;
  return new RunnerError("TRANSPORT_UNAVAILABLE", message, { fix });
}
