import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { isIPv6 } from "node:net";
import { RunnerError } from "@pipecat-ts/runner-core";

/** An IP address and a port. */
export type SocketAddress = readonly [host: string, port: number];

/** A bound UDP socket with the interface of werift's `UdpTransport`. Its methods never throw or reject. */
export interface UdpTransport {
  readonly type: "udp";
  readonly addressFamily: 4 | 6;
  readonly address: ReturnType<Socket["address"]>;
  readonly closed: boolean;
  onData: (data: Buffer, from: SocketAddress) => void;
  send(data: Buffer, to?: SocketAddress): Promise<void>;
  close(): Promise<void>;
}

/**
 * Binds a UDP socket to `address`, to any port or to one of `ports` (inclusive). Throws UDP_PORTS_EXHAUSTED if all of them are
 * in use, and system errors unchanged.
 */
export async function openUdpTransport(
  address: string,
  ports: readonly [first: number, last: number] | undefined,
): Promise<UdpTransport> {
  const socket = ports === undefined ? await bind(address, 0) : await bindWithin(address, ports);
  let closed = false;
  // After binding, an error concerns a single datagram, which counts as lost.
  socket.on("error", () => undefined);
  const transport: UdpTransport = {
    type: "udp",
    addressFamily: isIPv6(address) ? 6 : 4,
    address: socket.address(),
    get closed() {
      return closed;
    },
    onData: () => undefined,
    send(data, to) {
      if (!closed && to !== undefined && to[1] > 0 && to[1] < 65_536) socket.send(data, to[1], to[0]);
      return resolved;
    },
    async close() {
      if (closed) return;
      closed = true;
      socket.close();
      await once(socket, "close");
    },
  };
  socket.on("message", (data, from) => transport.onData(data, [from.address.split("%")[0] ?? "", from.port]));
  return transport;
}

const resolved = Promise.resolve();

async function bindWithin(address: string, [first, last]: readonly [number, number]): Promise<Socket> {
  const count = last - first + 1;
  const start = Math.floor(Math.random() * count);
  for (let step = 0; step < count; step++) {
    try {
      return await bind(address, first + ((start + step) % count));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    }
  }
  throw new RunnerError("UDP_PORTS_EXHAUSTED", `All UDP ports from ${first} to ${last} are in use.`, {
    fix: "Set a larger range with --udp-ports, or accept fewer callers with --max-sessions.",
  });
}

async function bind(address: string, port: number): Promise<Socket> {
  const family = isIPv6(address) ? 6 : 4;
  const socket = createSocket({
    type: family === 6 ? "udp6" : "udp4",
    ipv6Only: family === 6,
    // Addresses are always literals. The default lookup would delay each packet by a turn of the event loop.
    lookup: (host, _options, found) => found(null, host, family),
  });
  try {
    const listening = once(socket, "listening");
    socket.bind({ address, port });
    await listening;
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}
