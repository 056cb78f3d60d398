import { isIPv6, SocketAddress } from "node:net";
import { withTimeout } from "@pipecat-ts/runner-core";
import {
  type Address,
  classes,
  Message,
  methods,
  StunOverTurnProtocol,
  TcpTransport,
  TlsTransport,
  type Transport,
  TurnProtocol,
} from "werift";
import type { TurnServer } from "../ice-servers.ts";
import { openUdpTransport, type UdpTransport } from "../udp-transport.ts";
import { untilAborted } from "./deadline.ts";
import { acceptUnsignedRefusals } from "./patches/turn-refusals.ts";

/** The requested lifetime of an allocation in seconds: the default of RFC 8656. werift refreshes it. */
const lifetime = 600;

/** How long closing waits for the server to confirm that an allocation is released. */
const releaseTimeoutMs = 200;

/** werift's public `init` returns no transport that could be closed before it is connected. */
interface StreamTransport extends Transport {
  init(): Promise<void>;
}

type StreamClass = new (address: TurnServer["address"]) => StreamTransport;

type ServerTransport = UdpTransport | StreamTransport;

/** Allocates a relayed address at the first server that grants one. Resolves undefined if none did before `signal` aborted. */
export async function allocateAtFirst(
  servers: readonly TurnServer[],
  signal: AbortSignal,
): Promise<StunOverTurnProtocol | undefined> {
  const found = new AbortController();
  const attempts = servers.map(async (server) => {
    const protocol = await allocate(server, AbortSignal.any([signal, found.signal]));
    if (!found.signal.aborted) {
      found.abort();
      return protocol;
    }
    await protocol.close();
    throw found.signal.reason;
  });
  return Promise.any(attempts).catch(() => undefined);
}

/** Allocates a relayed address at one server. Rejects when it grants none before `signal` aborts. */
export async function allocate(server: TurnServer, signal: AbortSignal): Promise<StunOverTurnProtocol> {
  const transport = await connect(server, signal);
  const turn = new TurnProtocol(server.address, server.username, server.credential, lifetime, transport as Transport);
  const ending = new AbortController();
  // Also ends a request that still waits for the address of the server.
  const request = turn.requestWithRetry.bind(turn);
  turn.requestWithRetry = (message, to, signal = ending.signal) => request(message, to, signal);
  async function close(): Promise<void> {
    ending.abort();
    for (const transaction of Object.values(turn.transactions)) transaction.cancel();
    await turn.close();
  }
  acceptUnsignedRefusals(turn);
  const allocated = turn.connectionMade();
  ignoreUnusable(turn, transport);
  try {
    await untilAborted(allocated, signal);
  } catch (error) {
    await close();
    throw error;
  }
  const protocol = new StunOverTurnProtocol(turn);
  // A datagram that cannot be sent is lost like any other. werift does not handle this rejection.
  const sendData = protocol.sendData.bind(protocol);
  protocol.sendData = (data, to) => sendData(data, to).catch(() => undefined);
  protocol.close = async () => {
    await withTimeout(release(turn), releaseTimeoutMs);
    await close();
  };
  return protocol;
}

/** Releases the allocation (RFC 8656, section 3.2) instead of letting it expire. */
async function release(turn: TurnProtocol): Promise<void> {
  const request = new Message(methods.REFRESH, classes.REQUEST).setAttribute("LIFETIME", 0);
  await turn.requestWithRetry(request, turn.server);
}

async function connect({ address, transport }: TurnServer, signal: AbortSignal): Promise<ServerTransport> {
  if (transport === "udp") return openUdpTransport(address[0].includes(":") ? "::" : "0.0.0.0", undefined);
  const Stream = (transport === "tcp" ? TcpTransport : TlsTransport) as unknown as StreamClass;
  const stream = new Stream(address);
  try {
    await untilAborted(stream.init(), signal);
    return stream;
  } catch (error) {
    await stream.close();
    throw error;
  }
}

/** Whether a datagram comes from the server that got the first request. */
function isServer({ serverEndpoint }: TurnProtocol, [host, port]: Address): boolean {
  return serverEndpoint !== undefined && port === serverEndpoint[1] && canonical(host) === canonical(serverEndpoint[0]);
}

/** An IPv6 address has several spellings. */
function canonical(host: string): string {
  return isIPv6(host) ? new SocketAddress({ address: host, family: "ipv6" }).address : host;
}

/**
 * Drops datagrams that do not come from the server, which could claim to be from the caller, and bytes that werift cannot parse:
 * it would throw into the event loop.
 */
function ignoreUnusable(turn: TurnProtocol, transport: ServerTransport): void {
  const receive = transport.onData;
  transport.onData = (data, from) => {
    if (transport.type === "udp" && !isServer(turn, from)) return;
    try {
      receive(data, from);
    } catch {
      // A malformed datagram counts as lost.
    }
  };
}
