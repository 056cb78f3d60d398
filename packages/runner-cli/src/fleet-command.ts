import { stripVTControlCharacters } from "node:util";
import { type OptionTable, RunnerError, resolveOptions } from "@pipecat-ts/runner-core";
import { type Directory, findNode, type NodeReport, requestDrain, waitUntilLeft } from "@pipecat-ts/runner-fleet";
import { type FleetFlags, fleetFlags } from "@pipecat-ts/runner-fleet/options";
import * as Type from "typebox";
import { helpSections, parseCommand } from "./command-line.ts";
import { commandFlags, type FlagGroup } from "./flags.ts";
import { openDirectory, requireFleetSecret } from "./fleet-directory.ts";
import { findProject, loadEnvironment } from "./project.ts";
import { table } from "./table.ts";

interface FleetCommandFlags extends Pick<FleetFlags, "fleet" | "fleetSecret"> {
  readonly wait: boolean;
  readonly json: boolean;
  readonly help: boolean;
}

const flags: OptionTable<FleetCommandFlags> = {
  fleet: fleetFlags.fleet,
  fleetSecret: fleetFlags.fleetSecret,
  wait: {
    flag: "wait",
    description: "drain: wait until the node has left the fleet",
    schema: Type.Boolean(),
    default: false,
  },
  json: { flag: "json", description: "Print the list as JSON", schema: Type.Boolean(), default: false },
  help: commandFlags.help,
};
const group: FlagGroup = { name: "Options", table: flags };

/**
 * `pipecat-runner fleet` lists the nodes of a fleet: its machines. `fleet drain <node>` drains one. Returns the exit code. Throws OPTION_INVALID,
 * DIRECTORY_UNREACHABLE, NODE_UNREACHABLE.
 */
export async function fleetCommand(argv: readonly string[]): Promise<number> {
  const drains = argv[0] === "drain";
  const { bot: node, given } = parseCommand(drains ? argv.slice(1) : argv, [group], drains);
  const project = findProject(process.cwd());
  loadEnvironment([process.cwd(), project.folder]);
  const { fleet, fleetSecret, wait, json, help } = resolveOptions(flags, { given: given[group.name] ?? {} });
  if (help) {
    process.stdout.write(`${helpText()}\n`);
    return 0;
  }
  if (fleet === undefined) {
    throw new RunnerError("OPTION_INVALID", "The fleet is not named.", {
      fix: "Add --fleet redis://host:6379, or set PIPECAT_FLEET.",
    });
  }
  if (drains && node === undefined) {
    throw new RunnerError("OPTION_INVALID", "fleet drain needs a node.", {
      fix: "List them with pipecat-runner fleet, then run pipecat-runner fleet drain <node>.",
    });
  }
  const directory = await openDirectory(fleet, project);
  try {
    const nodes = await directory.list();
    if (node === undefined) process.stdout.write(`${json ? JSON.stringify(nodes, null, 2) : listText(nodes)}\n`);
    else await drain(directory, findNode(nodes, node), requireFleetSecret(fleetSecret), wait);
    return 0;
  } finally {
    await directory.close();
  }
}

async function drain(directory: Directory, node: NodeReport, secret: string, waits: boolean): Promise<void> {
  await requestDrain(node, secret);
  process.stdout.write(`${node.id} drains: ${node.active} calls, ${node.pending} pending\n`);
  if (!waits) return;
  await waitUntilLeft(directory, node, secret);
  process.stdout.write(`${node.id} has left the fleet\n`);
}

/** One line for each node. Reports come from the directory, so control characters are removed. */
function listText(nodes: readonly NodeReport[]): string {
  const rows = [
    ["NODE", "ADDRESS", "STATE", "CALLS", "PENDING", "PLACES", "VERSION", "STARTED"],
    ...[...nodes]
      .sort((one, two) => (one.startedAt < two.startedAt ? -1 : 1))
      .map(({ id, address, state, active, pending, places, version, startedAt }) =>
        [id, address, state, active, pending, places ?? "no limit", version, startedAt].map((cell) =>
          stripVTControlCharacters(String(cell)),
        ),
      ),
  ];
  return table(rows);
}

function helpText(): string {
  const usage = [
    "Usage: pipecat-runner fleet [options]",
    "       pipecat-runner fleet drain <node> [options]",
    "",
    "Lists the nodes of a fleet, which are its machines, or drains one: it sends new callers to the others, and ends after its last call.",
  ];
  const sections = helpSections([group], undefined, process.stdout.columns);
  return [...usage, ...sections.flatMap(({ title, body }) => ["", `${title}:`, body])].join("\n");
}
