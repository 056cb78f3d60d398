import type { Duplex } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { type Logger, RunnerError } from "@pipecat-ts/runner-core";
import type { Fleet, LocalNode, Peer } from "@pipecat-ts/runner-gateway";
import { Gauge, Registry } from "prom-client";
import { type Address, addressText, parseAddress, privateAddress } from "./address.ts";
import { createClaimLookup } from "./claims.ts";
import type { Directory, NodeReport } from "./directory.ts";
import { createMembership } from "./membership.ts";
import { answers, connectToNode, derive, type NodeServer, openNodeServer } from "./node-connection.ts";
import { chooseNodes } from "./placement.ts";

/** How long a claim lasts unless it is renewed, and how often that happens, in ms. */
const claimMs = 120_000;
const renewMs = 30_000;
/** How long a node that could not be reached gets no new callers and no lookups, in ms. */
const avoidMs = 2_000;
/** From the first beat of a node until the others know it, in ms: they read the directory at least every 1.2 s. */
const knownMs = 1_400;

export interface FleetOptions {
  readonly directory: Directory;
  /** The same on all nodes; 32 or more random characters. */
  readonly secret: string;
  /** Where to listen for other nodes, as `host:port`. Default: the first private address of this machine, port 7861. Port 0 chooses a free one. */
  readonly listen?: string | undefined;
  /** How other nodes reach this one, as `host:port`, where it differs. */
  readonly address?: string | undefined;
  /** The version that `pipecat-runner fleet` shows. */
  readonly version: string;
  readonly logger: Logger;
  /** An operator asks this node to drain. */
  onDrain(): void;
}

/** Creates this machine's part of a fleet, for `createGateway`. Throws OPTION_INVALID. Opens its port when the gateway joins. */
export function createFleet({ directory, secret, version, logger, onDrain, ...options }: FleetOptions): Fleet {
  if (secret.length < 32) {
    throw new RunnerError("OPTION_INVALID", "The secret of the fleet has fewer than 32 characters.", {
      fix: "Use a random one: openssl rand -hex 32",
    });
  }
  const listen = options.listen === undefined ? privateAddress() : parseAddress(options.listen, "--fleet-listen");
  const given = options.address === undefined ? undefined : parseAddress(options.address, "--fleet-address");
  if (!given && /^(0\.0\.0\.0|::)$/.test(listen.host)) {
    throw new RunnerError("OPTION_INVALID", `--fleet-listen: other nodes cannot reach ${addressText(listen)}.`, {
      fix: "Name the address of this machine with --fleet-address host:port.",
    });
  }
  const startedAt = new Date().toISOString();
  let node: LocalNode | undefined;
  let server: NodeServer | undefined;
  /** The hashed keys of this node's sessions; false for one that another node has claimed first. */
  const keys = new Map<string, boolean>();
  /** The hashed keys of ended sessions whose claims may still be in the directory, and until when. Oldest first. */
  const released = new Map<string, number>();
  /** Until when a node gets no new callers and no lookups. */
  const avoidUntil = new Map<string, number>();
  /** Open connections to other nodes. */
  const connections = new Map<Duplex, NodeReport>();
  const lookup = createClaimLookup(secret, avoid);
  let renewAtMs = 0;

  const membership = createMembership(directory, logger, (mayHaveLost) => {
    lookup.keepOnly(membership.nodes);
    checkConnections();
    if (!mayHaveLost && performance.now() < renewAtMs) return;
    renewAtMs = performance.now() + renewMs;
    if (node) void renewAll(node.id).catch(membership.failed);
  });
  const registry = createMetrics();

  function createMetrics(): Registry {
    const created = new Registry();
    new Gauge({
      name: "pipecat_fleet_directory_up",
      help: "Whether the directory of the fleet answered the last time. Calls continue without it.",
      registers: [created],
      collect() {
        this.set(membership.isReachable ? 1 : 0);
      },
    });
    new Gauge({
      name: "pipecat_fleet_nodes",
      help: "Nodes that this one knows, itself included, by state.",
      labelNames: ["state"],
      registers: [created],
      collect() {
        this.reset();
        for (const { state } of membership.nodes.values()) this.inc({ state });
        if (node) this.inc({ state: node.load.state });
      },
    });
    return created;
  }

  function report(local: LocalNode, address: Address): NodeReport {
    return { id: local.id, address: addressText(address), version, startedAt, ...local.load };
  }

  function peer(report: NodeReport): Peer {
    const { id, address } = report;
    return {
      id,
      async connect() {
        try {
          const connection = await connectToNode(parseAddress(address, "The directory of the fleet"), secret, id);
          connections.set(connection, report);
          connection.once("close", () => connections.delete(connection));
          return connection;
        } catch (error) {
          avoid(id);
          throw error;
        }
      },
    };
  }

  /** A node that has left may only have lost the directory. Otherwise, its connections would stay open for a quarter of an hour. */
  function checkConnections(): void {
    const nodes = new Map([...connections.values()].map((report) => [report.id, report]));
    for (const [id, report] of nodes) if (!membership.nodes.has(id)) void check(report);
  }

  async function check(report: NodeReport): Promise<void> {
    if (await answers(report, secret)) return;
    for (const [connection, { id }] of connections) if (id === report.id) connection.destroy();
  }

  function avoid(id: string): void {
    avoidUntil.set(id, performance.now() + avoidMs);
  }

  /** The nodes without those that recently could not be reached. */
  function reachable(): NodeReport[] {
    const nowMs = performance.now();
    for (const [id, untilMs] of avoidUntil) if (untilMs < nowMs) avoidUntil.delete(id);
    return [...membership.nodes.values()].filter(({ id }) => !avoidUntil.has(id));
  }

  function get(id: string): Peer | undefined {
    const found = membership.nodes.get(id);
    return found && peer(found);
  }

  /** Phone numbers and call ids do not leave the fleet. */
  function hash(key: string): string {
    return derive(secret, `claim:${key}`).toString("base64url");
  }

  async function claim(key: string, id: string): Promise<void> {
    const first = await directory.claim(key, id, claimMs);
    if (!keys.has(key)) return;
    // A carrier sends a webhook again to another node when the first one has failed.
    const isOther = first !== id && reachable().some((each) => each.id === first);
    keys.set(key, !isOther);
    if (!isOther && first !== id) await directory.renew([key], id, claimMs);
  }

  async function release(key: string, id: string): Promise<void> {
    await directory.release(key, id);
    released.delete(key);
  }

  /** Also claims the keys of others: they may have released them. And releases what ended while the directory did not answer. */
  async function renewAll(id: string): Promise<void> {
    const own = [...keys.keys()].filter(hasClaimed);
    const others = [...keys.keys()].filter((key) => !hasClaimed(key));
    await Promise.all([
      own.length > 0 && directory.renew(own, id, claimMs),
      ...others.map((key) => claim(key, id)),
      ...[...released.keys()].map((key) => release(key, id)),
    ]);
  }

  /** The directory has ended these claims by itself, because nobody renewed them. */
  function forgetExpired(): void {
    const nowMs = performance.now();
    for (const [key, untilMs] of released) {
      if (untilMs > nowMs) return;
      released.delete(key);
    }
  }

  function hasClaimed(key: string): boolean {
    return keys.get(key) === true;
  }

  async function findOwner(hashed: readonly string[]): Promise<string | undefined> {
    try {
      if (membership.isReachable) {
        const owners = await directory.find(hashed);
        return owners.find((each) => each !== undefined && membership.nodes.has(each));
      }
    } catch (err) {
      membership.failed(err);
    }
    // Without the directory, the nodes themselves know what they have claimed.
    return await lookup.find(reachable(), hashed);
  }

  return {
    async join(local) {
      node = local;
      // A second signal would end the calls of a node that drains already.
      const drain = () => void (local.load.state === "ready" && onDrain());
      const hasAny = (asked: readonly string[]) => asked.some(hasClaimed);
      server = await openNodeServer({ listen, secret, node: local, onDrain: drain, hasClaimed: hasAny, logger });
      const address = given ?? { ...listen, port: server.port };
      await membership.join(() => report(local, address));
      // A load balancer sends them the callers of the first session.
      if (membership.nodes.size > 0) await setTimeout(knownMs);
      logger.info(
        { node: local.id, address: addressText(address), nodes: membership.nodes.size + 1 },
        "joined the fleet",
      );
    },
    announce: membership.beat,
    async leave() {
      await membership.leave();
      lookup.close();
      await server?.close();
      await directory.close();
    },
    get,
    async find(names) {
      if (names.length === 0) return undefined;
      const owner = await findOwner(names.map(hash));
      return owner === undefined ? undefined : get(owner);
    },
    candidates: () => chooseNodes(reachable()).map(peer),
    claim(name) {
      const key = hash(name);
      keys.set(key, true);
      released.delete(key);
      // After an outage, all claims are renewed.
      if (node && membership.isReachable) void claim(key, node.id).catch(membership.failed);
    },
    release(name) {
      const key = hash(name);
      if (!keys.delete(key) || !node) return;
      forgetExpired();
      released.set(key, performance.now() + claimMs);
      if (membership.isReachable) void release(key, node.id).catch(membership.failed);
    },
    metrics: () => registry.getMetricsAsJSON(),
  };
}
