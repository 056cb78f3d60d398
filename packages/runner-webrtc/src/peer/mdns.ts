import multicastDns from "multicast-dns";

/** Finds what `.local` names stand for, by multicast DNS (RFC 6762). Browsers hide their addresses behind such names. */
export interface MdnsResolver {
  /** The IPv4 address, or undefined when nobody on the network knows it in time, or too much was asked. Never rejects. */
  resolve(name: string): Promise<string | undefined>;
  /** Ends what is under way. */
  close(): void;
}

/** A browser answers within milliseconds; one on another network never does. */
const patienceMs = 1_500;
const repeatMs = 400;

/** A browser has one name per network of its own; more is somebody's attempt to have us ask the whole network. */
const namesLimit = 16;

/** A resolver for one caller. It holds a socket only while a question is open. */
export function createMdnsResolver(options: multicastDns.Options = {}): MdnsResolver {
  const pending = new Map<string, { readonly found: Promise<string | undefined>; settle(address?: string): void }>();
  let asked = 0;
  let socket: multicastDns.MulticastDNS | undefined;

  function open(): multicastDns.MulticastDNS {
    const opened = multicastDns(options);
    // The port may be taken for one program alone: then names stay names.
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

  function ask(name: string): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    socket ??= open();
    const query = (): void => socket?.query(name, "A");
    const repeat = setInterval(query, repeatMs);
    const patience = setTimeout(() => settle(), patienceMs);
    const settle = (address?: string): void => {
      clearInterval(repeat);
      clearTimeout(patience);
      pending.delete(name);
      resolve(address);
      if (pending.size > 0) return;
      socket?.destroy();
      socket = undefined;
    };
    pending.set(name, { found: promise, settle });
    query();
    return promise;
  }

  return {
    async resolve(name) {
      const key = name.toLowerCase();
      const known = pending.get(key);
      if (known !== undefined) return known.found;
      asked += 1;
      return asked > namesLimit ? undefined : ask(key);
    },
    close: settleAll,
  };
}
