import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { Page } from "playwright-core";

/** The network between a page's WebRTC and the runner. */
export interface Network extends AsyncDisposable {
  /** Drops everything in both directions, offers included, or relays again. */
  cut(isCut: boolean): void;
  /** Drops everything on the path that has carried most. */
  cutUsedPath(): void;
  /** The number of dropped datagrams. */
  readonly dropped: () => number;
  /** The number of offers that failed. */
  readonly lostOffers: () => number;
}

/** A candidate's address and port: RFC 8839, section 5.1. */
const udpCandidate = /^a=candidate:\S+ 1 udp \d+ (\d+\.\d+\.\d+\.\d+) (\d+) typ host/i;

/**
 * Puts a network that can be cut between the page's next calls and the runner: the page gets the proxy's address instead of
 * the runner's, and the runner gets no address of the page. With several paths, the page gets several such addresses.
 */
export async function routeThroughProxy(page: Page, paths = 1): Promise<Network> {
  const proxies = new Map<string, UdpProxy>();
  let isCut = false;
  let lostOffers = 0;

  /** The candidate line with the address of a path's proxy. */
  const throughProxy = async (line: string, path: number): Promise<string> => {
    const [, address = "", port = ""] = udpCandidate.exec(line) ?? [];
    const key = `${path} ${port}`;
    const proxy = proxies.get(key) ?? (await openUdpProxy({ address, port: Number(port) }));
    proxies.set(key, proxy);
    proxy.cut(isCut);
    return line.replace(`${address} ${port}`, `${proxy.address.address} ${proxy.address.port}`);
  };

  await page.route("**/api/offer", async (route) => {
    if (route.request().method() === "PATCH") return route.fulfill({ json: { status: "success" } });
    if (isCut) {
      lostOffers++;
      return route.abort("internetdisconnected");
    }
    const offer = route.request().postDataJSON() as { sdp: string };
    const response = await route.fetch({ postData: { ...offer, sdp: withoutCandidates(offer.sdp) } });
    if (!response.ok()) return route.fulfill({ response });
    const answer = (await response.json()) as { sdp: string };
    const lines = answer.sdp.split("\r\n");
    const first = lines.find((line) => udpCandidate.test(line));
    if (first === undefined) throw new Error(`No IPv4 candidate in:\n${answer.sdp}`);
    const sdp = withoutCandidates(answer.sdp.replace(first, `${first}\r\nthe proxies`));
    const ways = await Promise.all(Array.from({ length: paths }, (_, path) => throughProxy(first, path)));
    await route.fulfill({ response, json: { ...answer, sdp: sdp.replace("the proxies", ways.join("\r\n")) } });
  });

  return {
    cut(next) {
      isCut = next;
      for (const proxy of proxies.values()) proxy.cut(isCut);
    },
    cutUsedPath() {
      const [used] = [...proxies.values()].toSorted((one, two) => two.relayed() - one.relayed());
      used?.cut(true);
    },
    dropped: () => [...proxies.values()].reduce((sum, proxy) => sum + proxy.dropped(), 0),
    lostOffers: () => lostOffers,
    async [Symbol.asyncDispose]() {
      await Promise.all([...proxies.values()].map((proxy) => proxy[Symbol.asyncDispose]()));
    },
  };
}

function withoutCandidates(sdp: string): string {
  return sdp.replaceAll(/^a=candidate:.*\r\n/gm, "");
}

interface UdpAddress {
  readonly address: string;
  readonly port: number;
}

/** Relays UDP between `address` and a target, and can be cut. */
export interface UdpProxy extends AsyncDisposable {
  readonly address: UdpAddress;
  /** Drops everything in both directions, or relays again. */
  cut(isCut: boolean): void;
  /** The number of dropped datagrams, and of relayed ones. */
  readonly dropped: () => number;
  readonly relayed: () => number;
}

/** Opens a proxy for `target`, on the same IP address. */
export async function openUdpProxy(target: UdpAddress): Promise<UdpProxy> {
  const sockets: Socket[] = [];
  const upstreams = new Map<string, Promise<Socket>>();
  let isCut = false;
  let dropped = 0;
  let relayed = 0;

  const bind = async (): Promise<Socket> => {
    const socket = createSocket("udp4");
    sockets.push(socket);
    socket.bind(0, target.address);
    await once(socket, "listening");
    return socket;
  };
  const relay = (socket: Socket, bytes: Buffer, { address, port }: UdpAddress) => {
    if (isCut) {
      dropped++;
      return;
    }
    relayed++;
    socket.send(bytes, port, address);
  };

  const front = await bind();
  // The target tells senders apart by the address: each has its own socket.
  const openUpstream = async (sender: UdpAddress): Promise<Socket> => {
    const socket = await bind();
    socket.on("message", (bytes) => relay(front, bytes, sender));
    return socket;
  };
  front.on("message", async (bytes, sender) => {
    const key = `${sender.address}:${sender.port}`;
    const upstream = upstreams.get(key) ?? openUpstream(sender);
    upstreams.set(key, upstream);
    relay(await upstream, bytes, target);
  });

  return {
    address: front.address(),
    cut(next) {
      isCut = next;
    },
    dropped: () => dropped,
    relayed: () => relayed,
    async [Symbol.asyncDispose]() {
      await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))));
    },
  };
}
