import type { NodeLoad } from "@pipecat-ts/runner-gateway";
import * as Type from "typebox";
import { Check } from "typebox/value";

/** What a node tells the others about itself, as JSON. */
export interface NodeReport extends NodeLoad {
  /** Eight hexadecimal digits, drawn at each start. */
  readonly id: string;
  /** Where the other nodes reach it: `10.0.0.5:7861`. */
  readonly address: string;
  /** The version of pipecat-runner. */
  readonly version: string;
  /** ISO 8601. */
  readonly startedAt: string;
}

/**
 * What all nodes of a fleet share: who is there, and who handles which call. Requests and audio never pass through it, and it stores
 * no session. Every method rejects within a second if the directory does not answer.
 */
export interface Directory {
  /**
   * Renews the lease of a node. Resolves to the reports of all nodes that had a lease before. If the node is not among them, it is new,
   * or the directory has lost its data.
   */
  beat(report: NodeReport, leaseMs: number): Promise<readonly NodeReport[]>;
  /** The reports of all nodes with a lease. */
  list(): Promise<readonly NodeReport[]>;
  /** Ends the lease of a node. */
  leave(node: string): Promise<void>;
  /** Claims a key for a node. Resolves to the node that claimed it first. */
  claim(key: string, node: string, ttlMs: number): Promise<string>;
  /** Extends the claims of a node, and claims again what the directory has lost. */
  renew(keys: readonly string[], node: string, ttlMs: number): Promise<void>;
  /** The nodes that claimed these keys. */
  find(keys: readonly string[]): Promise<readonly (string | undefined)[]>;
  /** Ends a claim if it belongs to this node. */
  release(key: string, node: string): Promise<void>;
  close(): Promise<void>;
}

const count = Type.Integer({ minimum: 0 });
const nodeReport = Type.Object({
  id: Type.String({ pattern: "^[0-9a-f]{8}$", maxLength: 8 }),
  // A host name has at most 253 characters, a port 5.
  address: Type.String({ maxLength: 261 }),
  version: Type.String({ maxLength: 64 }),
  startedAt: Type.String({ maxLength: 32 }),
  state: Type.Union([Type.Literal("ready"), Type.Literal("draining")]),
  active: count,
  pending: count,
  places: Type.Union([count, Type.Null()]),
});

/** Reads a report from the directory. Returns undefined for anything else: nodes of another version may write there. */
export function parseNodeReport(text: string): NodeReport | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Check(nodeReport, value) ? (value as NodeReport) : undefined;
  } catch {
    return undefined; // Not JSON.
  }
}

/** A directory in this process, for nodes in one process and for tests. */
export function createMemoryDirectory(): Directory {
  const leases = createExpiringMap<NodeReport>();
  const claims = createExpiringMap<string>();
  return {
    async beat(report, leaseMs) {
      const before = leases.values();
      leases.set(report.id, report, leaseMs);
      return before;
    },
    list: async () => leases.values(),
    leave: async (node) => void leases.delete(node),
    async claim(key, node, ttlMs) {
      const first = claims.get(key);
      if (first !== undefined) return first;
      claims.set(key, node, ttlMs);
      return node;
    },
    async renew(keys, node, ttlMs) {
      for (const key of keys) claims.set(key, node, ttlMs);
    },
    find: async (keys) => keys.map((key) => claims.get(key)),
    async release(key, node) {
      if (claims.get(key) === node) claims.delete(key);
    },
    close: async () => undefined,
  };
}

/** Values that end after their time, like those of Redis. */
function createExpiringMap<Value>() {
  const entries = new Map<string, { readonly value: Value; readonly endMs: number }>();

  function get(key: string): Value | undefined {
    const entry = entries.get(key);
    if (entry && entry.endMs > performance.now()) return entry.value;
    entries.delete(key);
    return undefined;
  }

  return {
    get,
    set: (key: string, value: Value, ttlMs: number) =>
      void entries.set(key, { value, endMs: performance.now() + ttlMs }),
    delete: (key: string) => entries.delete(key),
    values: (): readonly Value[] => [...entries.keys()].flatMap((key) => get(key) ?? []),
  };
}
