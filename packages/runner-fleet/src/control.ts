import { Agent } from "node:http";
import { setTimeout } from "node:timers/promises";
import { RunnerError } from "@pipecat-ts/runner-core";
import { parseAddress } from "./address.ts";
import type { Directory, NodeReport } from "./directory.ts";
import { connectToNode, sendControl } from "./node-connection.ts";

/** How often the directory is asked whether a node has left, in ms. */
const pollMs = 500;

/**
 * Asks a node to drain: it sends new callers to the others, lets its calls end, and exits. Rejects with NODE_UNREACHABLE when it does
 * not answer, or has another secret.
 */
export async function requestDrain({ id, address }: NodeReport, secret: string): Promise<void> {
  const agent = new Agent();
  const connection = await connectToNode(parseAddress(address, "The directory of the fleet"), secret, id, "control");
  agent.createConnection = () => connection;
  await sendControl({ method: "POST", path: "/drain", agent });
  connection.destroy();
}

/** Resolves when a node has left the fleet. */
export async function waitUntilLeft(directory: Directory, node: string): Promise<void> {
  while ((await directory.list()).some(({ id }) => id === node)) await setTimeout(pollMs);
}

/** The node with this id, or with the only id that begins like this. Throws OPTION_INVALID. */
export function findNode(nodes: readonly NodeReport[], text: string): NodeReport {
  const found = nodes.filter(({ id, address }) => text !== "" && (id.startsWith(text) || address === text));
  if (found.length === 1 && found[0]) return found[0];
  const known = nodes.map(({ id }) => id).join(", ") || "none";
  throw new RunnerError("OPTION_INVALID", `"${text}" names ${found.length === 0 ? "no node" : "several nodes"}.`, {
    fix: `Use the id or the address of a node. Nodes: ${known}.`,
  });
}
