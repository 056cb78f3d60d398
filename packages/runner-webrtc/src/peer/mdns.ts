import { createSocket } from "node:dgram";
import { isIPv4 } from "node:net";
import { createRateLimit } from "@pipecat-ts/runner-core";
import multicastDns from "multicast-dns";

/** Resolves `.local` names with multicast DNS (RFC 6762). Browsers use such names to hide their local addresses. */
export interface MdnsResolver {
  /** Resolves to the IPv4 address, or undefined on a timeout or after too many names. Never rejects. */
  resolve(name: string): Promise<string | undefined>;
  /** Ends open queries and releases the socket. */
  close(): void;
}

/** The network of a resolver. Default: port 5353 on the default interface. */
export interface MdnsNetwork {
  readonly interface?: string;
  readonly bind?: string;
  readonly port?: number;
  readonly loopback?: boolean;
  readonly reuseAddr?: boolean;
}

/** A browser on this network responds within milliseconds. */
const timeoutMs = 1_500;
const repeatMs = 400;

/** The maximum number of names per caller. A browser has one per network interface; each query reaches the whole network. */
const namesLimit = 16;

/** The maximum number of names that all callers of a runner wait for. */
const waitingLimit = 64;

/** The largest packet that is read, in bytes: an Ethernet frame. The answer to one question has about 100. */
const packetLimit = 1_500;

/** The maximum number of records in a packet. A printer announces about 20. */
const recordLimit = 64;

/** Packets that are read while a query is open: a network with a hundred devices sends fewer. */
const packetRate = { perSecond: 200, burst: 400 };

/** The queries of all callers. */
export interface MdnsQueries {
  /** Returns false when too many are open. */
  enter(): boolean;
  leave(): void;
}

export function createMdnsQueries(): MdnsQueries {
  let waiting = 0;
  return {
    enter() {
      if (waiting >= waitingLimit) return false;
      waiting += 1;
      return true;
    },
    leave() {
      waiting -= 1;
    },
  };
}

/** Whether a packet is a response with few records (RFC 1035, section 4.1.1). The rest of it may be malformed. */
export function isReadableResponse(packet: Buffer): boolean {
  if (packet.length < 12 || packet.length > packetLimit || packet.readUInt8(2) < 128) return false;
  const counts = [4, 6, 8, 10].map((offset) => packet.readUInt16BE(offset));
  return counts.reduce((sum, count) => sum + count) <= recordLimit;
}

/**
 * Creates a resolver for one caller. It holds a socket only while a query is open. `queries` are those of all callers of the
 * runner.
 */
export function createMdnsResolver(
  network: MdnsNetwork = {},
  queries: MdnsQueries = createMdnsQueries(),
): MdnsResolver {
  const pending = new Map<string, { readonly found: Promise<string | undefined>; settle(address?: string): void }>();
  const addresses = new Map<string, string>();
  let queried = 0;
  let socket: multicastDns.MulticastDNS | undefined;
  const packets = createRateLimit(packetRate);

  function open(): multicastDns.MulticastDNS {
    const udp = createSocket({ type: "udp4", reuseAddr: network.reuseAddr ?? true });
    const emit = udp.emit.bind(udp) as (event: string, ...values: unknown[]) => boolean;
    // multicast-dns decodes every packet of the network, queries included. It reports malformed ones as `warning`.
    udp.emit = (event: string, ...values: unknown[]) => {
      const [packet] = values;
      if (event !== "message" || !Buffer.isBuffer(packet)) return emit(event, ...values);
      return isReadableResponse(packet) && packets.take() && emit(event, ...values);
    };
    const opened = multicastDns({ ...network, socket: udp });
    // Another program may hold the port exclusively: then no name resolves.
    opened.on("error", settleAll);
    opened.on("response", ({ answers }) => {
      for (const answer of answers ?? [])
        if (answer.type === "A" && isIPv4(answer.data)) pending.get(answer.name.toLowerCase())?.settle(answer.data);
    });
    return opened;
  }

  function settleAll(): void {
    for (const { settle } of pending.values()) settle();
  }

  function query(name: string): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    socket ??= open();
    const send = (): void => socket?.query(name, "A");
    const repeat = setInterval(send, repeatMs);
    const timeout = setTimeout(() => settle(), timeoutMs);
    const settle = (address?: string): void => {
      clearInterval(repeat);
      clearTimeout(timeout);
      if (!pending.delete(name)) return;
      if (address !== undefined) addresses.set(name, address);
      queries.leave();
      resolve(address);
      if (pending.size > 0) return;
      socket?.destroy();
      socket = undefined;
    };
    pending.set(name, { found: promise, settle });
    send();
    return promise;
  }

  return {
    async resolve(name) {
      const key = name.toLowerCase();
      const known = pending.get(key);
      if (known !== undefined) return known.found;
      // Each offer of a caller repeats its names.
      if (addresses.has(key)) return addresses.get(key);
      if (queried >= namesLimit || !queries.enter()) return undefined;
      queried += 1;
      return query(key);
    },
    close: settleAll,
  };
}
