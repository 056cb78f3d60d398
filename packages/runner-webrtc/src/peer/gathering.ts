import { RunnerError } from "@pipecat-ts/runner-core";
import {
  Candidate,
  candidatePriority,
  classes,
  getHostAddresses,
  Message,
  methods,
  type Protocol,
  type RTCDtlsTransport,
  StunProtocol,
} from "werift";
import { abortable } from "./abortable.ts";
import { filterDatagrams } from "./datagrams.ts";
import { parseIceServers, type ServerAddress } from "./ice-servers.ts";
import { withPatience } from "./patience.ts";
import type { PeerOptions } from "./peer-contract.ts";
import { allocateAtFirst } from "./turn.ts";
import { openUdpTransport, type UdpTransport } from "./udp-transport.ts";

/** Where a caller reaches one transport. The sockets are ours: the engine's own cannot be kept to ports or from throwing. */
export interface Gathering {
  /**
   * Every `a=candidate` value for an answer. Opens sockets and asks servers the first time; an ICE restart keeps them.
   * Rejects with UDP_PORTS_EXHAUSTED or TURN_UNREACHABLE when there is no way in.
   */
  gather(signal: AbortSignal): Promise<readonly string[]>;
  /** See `PeerCounters`. */
  readonly datagramsIgnored: number;
}

/** How long the answer waits for STUN and TURN servers. A TURN server over TLS takes five round trips. */
const stunPatienceMs = 200;
const turnPatienceMs = 2_000;

/** More addresses than this make answers long and checks many; clients such as the ESP32's read ten candidates. */
const hostLimit = 8;

export function createGathering(dtls: RTCDtlsTransport, options: PeerOptions): Gathering {
  const { stun, turn } = parseIceServers(options.iceServers);
  const reflexive: Candidate[] = [];
  let datagramsIgnored = 0;
  let opened: Promise<void> | undefined;

  const ignored = (): void => {
    datagramsIgnored += 1;
  };

  async function open(signal: AbortSignal): Promise<void> {
    const hosts = options.relayOnly === true ? [] : await openHosts(signal);
    const relay = withPatience(turnPatienceMs, signal, (patience) => allocateAtFirst(turn, patience));
    const mapped = hosts.map((host) => askStun(host, stun, signal));
    reflexive.push(...(await Promise.all(mapped)).filter((candidate) => candidate !== undefined));
    const protocol = await relay;
    if (signal.aborted) await protocol?.close();
    signal.throwIfAborted();
    if (protocol !== undefined) {
      const inside = protocol as unknown as RelayInside;
      inside.handleStunMessage = filterDatagrams(protocol, inside.handleStunMessage, dtls, ignored);
      addProtocol(dtls, protocol, relayCandidate(protocol.turn));
    } else if (options.relayOnly === true)
      throw new RunnerError("TURN_UNREACHABLE", "No TURN server gave an address, and only relayed ones are allowed.", {
        fix: "Check the servers' URLs, username and credential in --ice-servers, and that this host reaches them.",
      });
  }

  async function openHosts(signal: AbortSignal): Promise<StunProtocol[]> {
    const { announceIp, hostAddress, udpPorts } = options;
    const own = hostAddress === undefined ? ownAddresses() : [hostAddress];
    const addresses = announceIp === undefined ? own : [announceIp.includes(":") ? "::" : "0.0.0.0"];
    const sockets = await Promise.allSettled(addresses.map((address) => openUdpTransport(address, udpPorts)));
    // A transport that was closed meanwhile closes nothing that is added to it.
    if (signal.aborted)
      await Promise.all(sockets.map((socket) => socket.status === "fulfilled" && socket.value.close()));
    signal.throwIfAborted();
    const hosts = sockets.flatMap((socket, index) =>
      socket.status === "fulfilled"
        ? [addHost(dtls, socket.value, announceIp ?? addresses[index] ?? "", index, ignored)]
        : [],
    );
    const [failed] = sockets.filter((socket) => socket.status === "rejected");
    if (hosts.length === 0) throw failed?.reason;
    return hosts;
  }

  return {
    get datagramsIgnored() {
      return datagramsIgnored;
    },
    async gather(signal) {
      opened ??= open(signal);
      try {
        await opened;
      } catch (error) {
        opened = undefined; // what was taken then may be free by the next offer
        throw error;
      }
      const { iceTransport } = dtls;
      await iceTransport.gather();
      return [...iceTransport.connection.localCandidates, ...reflexive].map(candidateValue);
    },
  };
}

/** Lets a socket of ours carry a transport, `address` being what callers are told. */
export function addHost(
  dtls: RTCDtlsTransport,
  transport: UdpTransport,
  address: string,
  preference: number,
  ignored: () => void,
): StunProtocol {
  const protocol = new StunProtocol();
  protocol.transport = transport as unknown as StunProtocol["transport"];
  protocol.localIp = transport.address.address;
  const { datagramReceived } = protocol as unknown as Pick<ProtocolInside, "datagramReceived">;
  transport.onData = filterDatagrams(protocol, datagramReceived.bind(protocol), dtls, ignored);
  const priority = candidatePriority("host", { localPreference: 65_535 - preference });
  const candidate = new Candidate(`${preference + 1}`, 1, "udp", priority, address, transport.address.port, "host");
  addProtocol(dtls, protocol, candidate);
  return protocol;
}

/** The engine's parts that its types hide, as of 0.25.2. */
interface ProtocolInside {
  datagramReceived: UdpTransport["onData"];
}
interface RelayInside {
  /** Takes whatever the relay hands on of the caller's. */
  handleStunMessage: UdpTransport["onData"];
}
interface IceInside {
  readonly protocols: Protocol[];
  ensureProtocol(protocol: Protocol): void;
  pairLocalProtocol(protocol: Protocol): void;
}

function addProtocol({ iceTransport }: RTCDtlsTransport, protocol: Protocol, candidate: Candidate): void {
  const ice = iceTransport.connection as unknown as IceInside;
  protocol.localCandidate = candidate;
  ice.ensureProtocol(protocol);
  ice.protocols.push(protocol);
  ice.pairLocalProtocol(protocol);
}

/** The host's addresses, IPv4 first; its own loopback where it has no other. */
function ownAddresses(): readonly string[] {
  const addresses = [...getHostAddresses(true, false), ...getHostAddresses(false, true)].slice(0, hostLimit);
  return addresses.length > 0 ? addresses : ["127.0.0.1"];
}

/** The address that the first STUN server to answer sees a socket at. */
async function askStun(
  host: StunProtocol,
  servers: readonly ServerAddress[],
  signal: AbortSignal,
): Promise<Candidate | undefined> {
  const own = host.localCandidate;
  if (own === undefined) return undefined;
  const mapped = await withPatience(stunPatienceMs, signal, (patience) => {
    const asked = servers.map(async (server) => {
      const request = new Message(methods.BINDING, classes.REQUEST);
      const options = { retransmissions: 1, responseTimeout: stunPatienceMs / 3, signal: patience };
      const [response] = await host.request(request, server, undefined, options);
      return response.getAttributeValue("XOR-MAPPED-ADDRESS");
    });
    return abortable(Promise.any(asked), patience).catch(() => undefined);
  });
  if (mapped === undefined || (mapped[0] === own.host && mapped[1] === own.port)) return undefined;
  const priority = candidatePriority("srflx", { localPreference: 65_535 });
  return new Candidate(`s${own.foundation}`, 1, "udp", priority, mapped[0], mapped[1], "srflx", own.host, own.port);
}

function relayCandidate(turn: {
  readonly relayedAddress: ServerAddress;
  readonly mappedAddress: ServerAddress;
}): Candidate {
  const [host, port] = turn.relayedAddress;
  const priority = candidatePriority("relay", { localPreference: 65_535 });
  return new Candidate("r", 1, "udp", priority, host, port, "relay", ...turn.mappedAddress);
}

/** RFC 8839, section 5.1. */
function candidateValue(candidate: Candidate): string {
  const { foundation, priority, host, port, type, relatedAddress, relatedPort } = candidate;
  const related = relatedAddress === undefined ? "" : ` raddr ${relatedAddress} rport ${relatedPort}`;
  return `${foundation} 1 udp ${priority} ${host} ${port} typ ${type}${related}`;
}
