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

/** Creates a resolver for one caller. It holds a socket only while a query is open. */
export function createMdnsResolver(network: MdnsNetwork = {}): MdnsResolver {
  const pending = new Map<string, { readonly found: Promise<string | undefined>; settle(address?: string): void }>();
  let queried = 0;
  let socket: multicastDns.MulticastDNS | undefined;

  function open(): multicastDns.MulticastDNS {
    const opened = multicastDns({ ...network });
    // Another program may hold the port exclusively: then no name resolves.
    opened.on("error", settleAll);
    opened.on("response", ({ answers }) => {
      for (const answer of answers ?? [])
        if (answer.type === "A") pending.get(answer.name.toLowerCase())?.settle(answer.data);
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
      pending.delete(name);
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
      queried += 1;
      return queried > namesLimit ? undefined : query(key);
    },
    close: settleAll,
  };
}
