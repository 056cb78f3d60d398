import { randomBytes, randomUUID } from "node:crypto";

/** The worker that a session belongs to. */
export interface Owner {
  /** The start of the gateway: 8 hexadecimal digits. A restarted gateway has another node number. */
  readonly node: string;
  /** The number of the worker, 0 to 65,535. */
  readonly worker: number;
}

/** A node number for one start of a gateway. */
export function createNode(): string {
  return randomBytes(4).toString("hex");
}

/**
 * Creates session ids that name their owner: UUIDs of version 8 (RFC 9562 section 5.8), `nnnnnnnn-wwww-8rrr-vrrr-rrrrrrrrrrrr` with
 * 32 bits for the node, 16 for the worker, and 74 random bits.
 */
export function createOwnerIds({ node, worker }: Owner): () => string {
  const prefix = `${node}-${worker.toString(16).padStart(4, "0")}-8`;
  // The variant and the 74 random bits of a UUID of version 4.
  return () => prefix + randomUUID().slice(15);
}

/** The owner in an id, or in a text that begins with one and a dot, such as a token. */
export function ownerOf(text: string): Owner | undefined {
  const [, node, worker] =
    /^([0-9a-f]{8})-([0-9a-f]{4})-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}(?:$|\.)/.exec(text) ?? [];
  if (node === undefined || worker === undefined) return undefined;
  return { node, worker: Number.parseInt(worker, 16) };
}
