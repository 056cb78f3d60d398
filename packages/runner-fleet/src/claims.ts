import { once } from "node:events";
import { Agent, request } from "node:http";
import type { Duplex } from "node:stream";
import { parseAddress } from "./address.ts";
import type { NodeReport } from "./directory.ts";
import { connectToNode } from "./node-connection.ts";

/** How long a node may take to answer, in ms. */
const answerMs = 1_000;
/** How long an idle connection to a node stays open, in ms: less than the 5 s of Node's server. */
const idleMs = 4_000;

/** Asks the other nodes for their claims, while the directory does not answer. */
export interface ClaimQuestions {
  /** The first node that answers that it has claimed one of these hashed keys. Never rejects. */
  ask(nodes: Iterable<NodeReport>, keys: readonly string[]): Promise<string | undefined>;
  close(): void;
}

export function createClaimQuestions(secret: string): ClaimQuestions {
  const agents = new Map<string, Agent>();

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
    const signal = AbortSignal.timeout(answerMs);
    const sent = request({ path, headers: { host: "node" }, agent: agentOf(node), signal }).end();
    const [response] = await once(sent, "response");
    response.resume();
    if (response.statusCode !== 200) throw new Error("The node has not claimed them.");
    return node.id;
  }

  return {
    ask: (nodes, keys) => Promise.any([...nodes].map((node) => askOne(node, keys))).catch(() => undefined),
    close() {
      for (const agent of agents.values()) agent.destroy();
    },
  };
}
