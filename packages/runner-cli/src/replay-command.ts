import { type ReplayEvent, replay } from "@pipecat-ts/runner-capture";
import { type OptionTable, RunnerError, resolveOptions } from "@pipecat-ts/runner-core";
import { createLogger } from "@pipecat-ts/runner-host";
import * as Type from "typebox";
import { findBot } from "./bot-file.ts";
import { printable } from "./call/printable.ts";
import { helpSections, parseCommand, readCommandLine } from "./command-line.ts";
import { commandFlags, type FlagGroup } from "./flags.ts";
import { logOptions } from "./prepare-runner.ts";
import { sendConsoleToStderr } from "./standard-streams.ts";

/** The settings of `pipecat-runner replay`. */
export interface ReplayFlags {
  readonly speed: "real" | "max";
  readonly json: boolean;
  readonly verbose: boolean;
  readonly help: boolean;
}

export const replayFlags: OptionTable<ReplayFlags> = {
  speed: {
    flag: "speed",
    default: "real",
    description:
      "real: at the times of the call; max: as fast as the runner takes it, so that the bot has no time to speak",
    schema: Type.Union([Type.Literal("real"), Type.Literal("max")], { description: "real or max" }),
    placeholder: "real|max",
  },
  json: { flag: "json", default: false, description: "Print the events as JSON on stdout", schema: Type.Boolean() },
  verbose: commandFlags.verbose,
  help: commandFlags.help,
};

const group: FlagGroup = { name: "Options", table: replayFlags };

/**
 * `pipecat-runner replay <file> [bot]`: replays a capture against a bot, and prints what the bot got from the caller. Returns the exit
 * code: 1 when the bot failed or a signal interrupted it, else 0. Throws OPTION_INVALID, BOT_NOT_FOUND, BOT_INVALID, and the errors of `replay`.
 */
export async function replayCommand([file, ...argv]: readonly string[]): Promise<number> {
  const isFile = file !== undefined && !file.startsWith("-");
  const { bot: named, given } = parseCommand(isFile || file === undefined ? argv : [file, ...argv], [group]);
  const { speed, json, verbose, help } = resolveOptions(replayFlags, { given: given[group.name] ?? {}, env: {} });
  if (help) {
    process.stdout.write(`${helpText()}\n`);
    return 0;
  }
  if (!isFile) throw fileMissing();
  sendConsoleToStderr();
  const line = await readCommandLine([findBot(named, process.cwd())]);
  if (!line) throw new Error("A replay has no help of the runner.");
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    const { events, notes } = await replay(file, {
      bot: line.bot.bot,
      plugins: line.found.plugins,
      cliArgs: line.cliArgs,
      logger: createLogger({ ...logOptions(verbose), level: verbose ? "debug" : "warn", stream: process.stderr }),
      speed,
      signal: stop.signal,
      ...(!json && { onEvent: (event, atMs) => print(eventText(event, atMs)) }),
    });
    if (json) print(JSON.stringify({ events, notes }, null, 2));
    else for (const note of notes) print(`  ! ${note}`);
    return stop.signal.aborted || events.some(({ type }) => type === "failed") ? 1 : 0;
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** `    1.240 s  key           1`. */
function eventText({ type, ...fields }: ReplayEvent, atMs: number): string {
  const values = Object.values(fields).map((value) => (typeof value === "string" ? value : JSON.stringify(value)));
  return printable(`  ${(atMs / 1000).toFixed(3).padStart(8)} s  ${type.padEnd(12)}  ${values.join(" ")}`.trimEnd());
}

function helpText(): string {
  const usage = [
    "Usage: pipecat-runner replay <file> [bot] [options]",
    "",
    "Replays a call that pipecat-runner --capture has captured against a bot, and prints what the bot got from the caller.",
  ];
  const sections = helpSections([group], undefined, process.stdout.columns);
  return [...usage, ...sections.flatMap(({ title, body }) => ["", `${title}:`, body])].join("\n");
}

function fileMissing(): RunnerError {
  return new RunnerError("OPTION_INVALID", "The capture is missing.", {
    fix: "Use pipecat-runner replay <file> [bot], with a file from the folder of --capture.",
  });
}
