import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { MetricValues } from "@pipecat-ts/runner-host";

/** Another machine with a gateway. */
export interface Peer {
  readonly id: string;
  /** Opens a connection on which both sides have proved that they belong to the fleet. Rejects with NODE_UNREACHABLE; nothing was sent. */
  connect(): Promise<Duplex>;
}

/** The gateway of this machine, for the others. */
export interface LocalNode {
  /** The node number in the ids of its sessions. */
  readonly id: string;
  readonly load: NodeLoad;
  /** Answers a request that another node forwarded. It is not forwarded again. */
  request(request: IncomingMessage, response: ServerResponse): void;
  upgrade(request: IncomingMessage, connection: Duplex, head: Buffer): void;
}

export interface NodeLoad {
  /** `draining`: it takes no new callers, and ends with its last call. */
  readonly state: "ready" | "draining";
  readonly active: number;
  readonly pending: number;
  /** Calls that it may have at once; `null` without a limit. */
  readonly places: number | null;
}

/** Claims keys of this node's sessions: chosen ids (`id:…`) and aliases such as call ids (`alias:…`). Ids that name their node need none. */
export interface KeyClaims {
  claim(key: string): void;
  release(key: string): void;
}

/** The other machines, as a gateway uses them. The package `runner-fleet` implements it. */
export interface Fleet extends KeyClaims {
  /** Called before the gateway takes callers. Resolves when the other nodes know this one. */
  join(node: LocalNode): Promise<void>;
  /** The node's state has changed: tells the others. */
  announce(): Promise<void>;
  /** Called when the gateway has stopped. */
  leave(): Promise<void>;
  /** The node with this number. */
  get(node: string): Peer | undefined;
  /** The other node that has claimed one of these keys; the first key counts most. Never rejects. */
  find(keys: readonly string[]): Promise<Peer | undefined>;
  /** The nodes to try for a new session, best first. */
  candidates(): readonly Peer[];
  metrics(): Promise<MetricValues>;
}
