import { Agent } from "node:http";
import { setTimeout } from "node:timers/promises";
import { RunnerError } from "@pipecat-ts/runner-core";
import { parseAddress } from "./address.ts";
import type { Directory, NodeReport } from "./directory.ts";
import { answers, connectToNode, sendControl } from "./node-connection.ts";

/** How often the directory is asked whether a node has left, in ms. */
const pollMs = 500;
/** How long a node may take to answer, in ms. */
const answerMs = 3_000;

/**
 * Asks a node to drain: it sends new callers to the others, lets its calls end, and exits. Rejects with NODE_UNREACHABLE when it does
 * not answer, or has another secret.
 */
export async function requestDrain({ id, address }: NodeReport, secret: string): Promise<void> {
  const agent = new Agent();
  try {
    const connection = await connectToNode(parseAddress(address, "The directory of the fleet"), secret, id, "control");
    agent.createConnection = () => connection;
    await sendControl({ method: "POST", path: "/drain", agent, signal: AbortSignal.timeout(answerMs) });
  } catch (cause) {
    throw new RunnerError("NODE_UNREACHABLE", `The node ${id} cannot be reached (${address}).`, {
      fix: "Run this on a machine that may connect to the port for nodes, with the PIPECAT_FLEET_SECRET of the fleet.",
      cause,
    });
  } finally {
    agent.destroy();
  }
}

/** Resolves when a node has left the fleet: the directory does not list it, and it does not answer. The directory alone may lose data. */
export async function waitUntilLeft(directory: Directory, node: NodeReport, secret: string): Promise<void> {
  while ((await directory.list()).some(({ id }) => id === node.id) || (await answers(node, secret)))
    await setTimeout(pollMs);
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
