import { setTimeout as delay } from "node:timers/promises";
import {
  classes,
  Message,
  methods,
  parseMessage,
  StunOverTurnProtocol,
  TcpTransport,
  TlsTransport,
  type Transport,
  TurnProtocol,
} from "werift";
import { abortable } from "./abortable.ts";
import type { TurnServer } from "./ice-servers.ts";
import { openUdpTransport, type SocketAddress, type UdpTransport } from "./udp-transport.ts";

/** How long an allocation is asked for, in seconds: the default of RFC 8656. The engine refreshes it. */
const lifetime = 600;

/** How long the server's word is waited for when an allocation is given back. */
const releasePatienceMs = 200;

/** Allocates an address at the first of the servers that gives one; undefined when none did before `signal` was aborted. */
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

async function allocate(server: TurnServer, signal: AbortSignal): Promise<StunOverTurnProtocol> {
  const transport = await connect(server, signal);
  const turn = new TurnProtocol(server.address, server.username, server.credential, lifetime, transport as Transport);
  hearRefusals(turn);
  const made = turn.connectionMade();
  contain(transport);
  try {
    await abortable(made, signal);
  } catch (error) {
    await close(turn);
    throw error;
  }
  const protocol = new StunOverTurnProtocol(turn);
  // What cannot be sent may get lost, as any datagram; the engine does not expect to be told.
  const sendData = protocol.sendData.bind(protocol);
  protocol.sendData = (data, to) => sendData(data, to).catch(() => undefined);
  protocol.close = async () => {
    await Promise.race([release(turn), delay(releasePatienceMs, undefined, { ref: false })]);
    await close(turn);
  };
  return protocol;
}

/** Gives the allocation back (RFC 8656, section 3.2), rather than leave it to run out. */
async function release(turn: TurnProtocol): Promise<void> {
  const request = new Message(methods.REFRESH, classes.REQUEST).setAttribute("LIFETIME", 0);
  await turn.requestWithRetry(request, turn.server).catch(() => undefined);
}

async function close(turn: TurnProtocol): Promise<void> {
  for (const transaction of Object.values(turn.transactions)) transaction.cancel();
  await turn.close();
}

async function connect(server: TurnServer, signal: AbortSignal): Promise<UdpTransport | TcpTransport | TlsTransport> {
  const { address, transport } = server;
  if (transport === "udp") return openUdpTransport(address[0].includes(":") ? "::" : "0.0.0.0", undefined);
  const connecting: Promise<TcpTransport | TlsTransport> =
    transport === "tcp" ? TcpTransport.init(address) : TlsTransport.init(address);
  try {
    return await abortable(connecting, signal);
  } catch (error) {
    connecting.then((late) => late.close()).catch(() => undefined);
    throw error;
  }
}

/**
 * A server that refuses a login, or finds it out of date, has nothing to sign that with (RFC 8489, section 9.2.4). The
 * engine takes no unsigned answer to a signed request, and would wait for another one.
 */
function hearRefusals(turn: TurnProtocol): void {
  const inside = turn as unknown as TurnInside;
  const handle = inside.handleSTUNMessage.bind(turn);
  inside.handleSTUNMessage = (data, from) => {
    const message = parseMessage(data);
    const [code] = message?.getAttributeValue("ERROR-CODE") ?? [];
    const asked = message && inside.transactions[message.transactionIdHex];
    if (asked !== undefined && (code === 401 || code === 438)) asked.integrityKey = undefined;
    handle(data, from);
  };
}

/** The engine's parts that its types hide, as of 0.25.2. */
interface TurnInside {
  readonly transactions: Readonly<Record<string, { integrityKey: Buffer | undefined }>>;
  handleSTUNMessage(data: Buffer, from: SocketAddress): void;
}

/** A server's bytes that cannot be understood are as good as not sent; the engine would throw into the event loop. */
function contain(transport: UdpTransport | TcpTransport | TlsTransport): void {
  const receive = transport.onData;
  transport.onData = (data, from) => {
    try {
      receive(data, from);
    } catch {
      return;
    }
  };
}
