import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";

/** Something that UDP can be sent to. */
export interface UdpAddress {
  readonly address: string;
  readonly port: number;
}

/** A wire that can be cut: what is sent to `address` reaches the target, and what the target answers comes back. */
export interface UdpProxy extends AsyncDisposable {
  readonly address: UdpAddress;
  /** Drops everything both ways from now on, or lets it through again. */
  cut(isCut: boolean): void;
  /** How many datagrams were dropped. */
  readonly dropped: () => number;
}

/** Opens a wire to `target`, on the same address of this machine. */
export async function openUdpProxy(target: UdpAddress): Promise<UdpProxy> {
  const sockets: Socket[] = [];
  const waysOut = new Map<string, Promise<Socket>>();
  let isCut = false;
  let dropped = 0;

  const bind = async (): Promise<Socket> => {
    const socket = createSocket("udp4");
    sockets.push(socket);
    socket.bind(0, target.address);
    await once(socket, "listening");
    return socket;
  };
  const relay = (socket: Socket, bytes: Buffer, { address, port }: UdpAddress) => {
    if (isCut) dropped++;
    else socket.send(bytes, port, address);
  };

  const door = await bind();
  // Each sender keeps an address of its own, by which the target tells them apart.
  const openWayOut = async (sender: UdpAddress): Promise<Socket> => {
    const socket = await bind();
    socket.on("message", (bytes) => relay(door, bytes, sender));
    return socket;
  };
  door.on("message", async (bytes, sender) => {
    const key = `${sender.address}:${sender.port}`;
    const wayOut = waysOut.get(key) ?? openWayOut(sender);
    waysOut.set(key, wayOut);
    relay(await wayOut, bytes, target);
  });

  return {
    address: door.address(),
    cut(next) {
      isCut = next;
    },
    dropped: () => dropped,
    async [Symbol.asyncDispose]() {
      await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))));
    },
  };
}
