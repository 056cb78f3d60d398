import { shownPath } from "./project.ts";
import { writeTypeFile } from "./type-file.ts";

/** A word that the command line has instead of a bot: `pipecat-runner types`. */
export interface Subcommand {
  readonly name: string;
  /** For `--help`. */
  readonly description: string;
  /** Runs it with the arguments after its name. Resolves to the exit code. An error is printed, and the exit code is 1. */
  run(argv: readonly string[]): number | Promise<number>;
}

export const subcommands: readonly Subcommand[] = [
  {
    name: "types",
    description:
      "Instead of a bot: writes pipecat-env.d.ts, with which TypeScript checks the params of the installed transports.",
    run: printTypeFile,
  },
  {
    name: "call",
    description: "Instead of a bot: calls a running bot and measures it. See pipecat-runner call --help.",
    run: async (argv) => (await import("./call/call-command.ts")).callCommand(argv),
  },
  {
    name: "replay",
    description:
      "Instead of a bot: replays a captured call against a bot, and prints what the bot got. See pipecat-runner replay --help.",
    run: async (argv) => (await import("./replay-command.ts")).replayCommand(argv),
  },
  {
    name: "doctor",
    description:
      "Instead of a bot: checks what the runner needs, such as keys, ports and the public URL, and says how to fix what is missing. Name the bot and the options after it; --json prints JSON.",
    run: async (argv) => (await import("./doctor-command.ts")).doctor(argv),
  },
  {
    name: "fleet",
    description:
      "Instead of a bot: lists the nodes (machines) of the fleet in --fleet or PIPECAT_FLEET. fleet drain <node> sends new callers to the others, and ends a node after its last call. See pipecat-runner fleet --help.",
    run: async (argv) => (await import("./fleet-command.ts")).fleetCommand(argv),
  },
];

const typesHelp = `Usage: pipecat-runner types

Writes pipecat-env.d.ts into the folder of the project: it imports the types of the installed transports, so that TypeScript
checks their params. Each start of the runner updates the file.
`;

function printTypeFile(argv: readonly string[]): number {
  if (argv[0] === "--help" || argv[0] === "-h") {
    process.stdout.write(typesHelp);
    return 0;
  }
  const { file, packages, changed } = writeTypeFile(process.cwd(), argv);
  console.log(`${shownPath(file)} ${changed ? "now imports" : "already imports"} the types of ${packages.join(", ")}`);
  return 0;
}
