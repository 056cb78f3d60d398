import { Agent } from "node:http";
import type { Duplex } from "node:stream";
import { parseAddress } from "./address.ts";
import type { NodeReport } from "./directory.ts";
import { connectToNode, sendControl } from "./node-connection.ts";

/** How long a node may take to answer, in ms. */
const answerMs = 1_000;
/** How long an idle connection to a node stays open, in ms: less than the 5 s of Node's server. */
const idleMs = 4_000;
/** Lookups in progress. Each asks all nodes, and anyone can cause one with an id that nobody knows. */
export const maxLookups = 32;

/** Asks the other nodes for their claims, while the directory does not answer. */
export interface ClaimLookup {
  /**
   * The first node that answers that it has claimed one of these hashed keys. Never rejects. Resolves to undefined at once while 32
   * lookups are in progress.
   */
  find(nodes: Iterable<NodeReport>, keys: readonly string[]): Promise<string | undefined>;
  /** Closes the connections to all nodes but these. */
  keepOnly(nodes: ReadonlyMap<string, unknown>): void;
  close(): void;
}

/** `failed` is called with the id of a node that cannot be reached, or does not answer in time. */
export function createClaimLookup(secret: string, failed: (node: string) => void): ClaimLookup {
  const agents = new Map<string, Agent>();
  let inProgress = 0;

  /** Connections are used again, because each webhook of an outage asks all nodes. */
  function agentOf({ id, address }: NodeReport): Agent {
    const known = agents.get(id);
    if (known) return known;
    const agent = new Agent({ keepAlive: true, maxSockets: 8, timeout: idleMs });
    agent.createConnection = (_, done) => {
      connectToNode(parseAddress(address, "The directory of the fleet"), secret, id, "control").then(
        (connection) => done?.(null, connection),
        (error: Error) => done?.(error, undefined as unknown as Duplex),
      );
      return undefined;
    };
    agents.set(id, agent);
    return agent;
  }

  async function askOne(node: NodeReport, keys: readonly string[]): Promise<string> {
    const path = `/claims?${new URLSearchParams(keys.map((key): [string, string] => ["key", key]))}`;
    const status = await sendControl({ path, agent: agentOf(node), signal: AbortSignal.timeout(answerMs) }).catch(
      (error: unknown) => {
        failed(node.id);
        throw error;
      },
    );
    if (status !== 200) throw new Error("The node has not claimed them.");
    return node.id;
  }

  return {
    async find(nodes, keys) {
      if (inProgress >= maxLookups) return undefined;
      inProgress += 1;
      const answers = [...nodes].map((node) => askOne(node, keys));
      void Promise.allSettled(answers).then(() => void inProgress--);
      return await Promise.any(answers).catch(() => undefined);
    },
    keepOnly(nodes) {
      for (const [id, agent] of agents) {
        if (nodes.has(id)) continue;
        agent.destroy();
        agents.delete(id);
      }
    },
    close() {
      for (const agent of agents.values()) agent.destroy();
    },
  };
}
