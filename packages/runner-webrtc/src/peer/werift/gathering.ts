import { RunnerError } from "@pipecat-ts/runner-core";
import {
  Candidate,
  candidatePriority,
  classes,
  getHostAddresses,
  Message,
  methods,
  type RTCDtlsTransport,
  type StunProtocol,
} from "werift";
import type { VideoStreams } from "../../video/video-streams.ts";
import { parseIceServers, type ServerAddress } from "../ice-servers.ts";
import type { PeerOptions } from "../peer-contract.ts";
import { openUdpTransport, type UdpTransport } from "../udp-transport.ts";
import { untilAborted, withDeadline } from "./deadline.ts";
import { forgetChecks } from "./patches/check-history.ts";
import { createDatagramRates, type FilteredTransport, filterRelay, filterSocket } from "./patches/datagram-filter.ts";
import { randomizeCredentials } from "./patches/ice-credentials.ts";
import { keepPairDuringRestart } from "./patches/ice-restart.ts";
import { followCaller } from "./patches/moved-path.ts";
import { addLocalCandidate, createStunProtocol } from "./patches/own-sockets.ts";
import { allocateAtFirst } from "./turn.ts";

/** Gathers the local ICE candidates of one transport, on sockets of the runner. */
export interface Gathering {
  /**
   * Returns every `a=candidate` value for an answer. The first call opens sockets and queries STUN and TURN servers; an ICE
   * restart keeps them. Rejects with UDP_PORTS_EXHAUSTED or TURN_UNREACHABLE without a candidate.
   */
  gather(signal: AbortSignal): Promise<readonly string[]>;
  /** See `PeerCounters`. */
  readonly datagramsIgnored: number;
}

/** How long the answer waits for STUN and TURN servers. TURN over TLS takes five round trips. */
const stunTimeoutMs = 200;
const turnTimeoutMs = 2_000;

/** The maximum number of host candidates. More make answers long and ICE slow; the ESP32 client reads ten candidates. */
const hostLimit = 8;

export function createGathering(
  dtls: RTCDtlsTransport,
  options: PeerOptions,
  video: Pick<VideoStreams, "sort">,
): Gathering {
  const { stun, turn } = parseIceServers(options.iceServers);
  const reflexive: Candidate[] = [];
  let datagramsIgnored = 0;
  let opened: Promise<void> | undefined;

  forgetChecks(dtls.iceTransport);
  randomizeCredentials(dtls.iceTransport);
  followCaller(dtls.iceTransport);
  // The patch of the restart is around the other: it hides checks of earlier generations.
  const filtered: FilteredTransport = {
    dtls,
    video,
    previousAddresses: keepPairDuringRestart(dtls.iceTransport),
    rates: createDatagramRates(),
    ignored() {
      datagramsIgnored += 1;
    },
  };

  async function open(signal: AbortSignal): Promise<void> {
    const hosts = options.relayOnly === true ? [] : await openHosts(signal);
    const allocation = withDeadline(turnTimeoutMs, signal, (deadline) => allocateAtFirst(turn, deadline));
    const mapped = hosts.map((host) => queryStun(host, stun, signal));
    reflexive.push(...(await Promise.all(mapped)).filter((candidate) => candidate !== undefined));
    const relay = await allocation;
    if (signal.aborted) await relay?.close();
    signal.throwIfAborted();
    if (relay !== undefined) {
      filterRelay(relay, filtered);
      addLocalCandidate(dtls.iceTransport, relay, relayCandidate(relay.turn));
    } else if (options.relayOnly === true)
      throw new RunnerError("TURN_UNREACHABLE", "No TURN server allocated an address, and --relay-only is set.", {
        fix: "Check the URLs, username and credential in --ice-servers, and that this host can reach the servers.",
      });
  }

  async function openHosts(signal: AbortSignal): Promise<StunProtocol[]> {
    const { announceIp, hostAddress, udpPorts } = options;
    const own = hostAddress === undefined ? ownAddresses() : [hostAddress];
    const addresses = announceIp === undefined ? own : [announceIp.includes(":") ? "::" : "0.0.0.0"];
    const sockets = await Promise.allSettled(addresses.map((address) => openUdpTransport(address, udpPorts)));
    // werift does not close sockets that are added to a closed transport.
    if (signal.aborted)
      await Promise.all(sockets.map((socket) => socket.status === "fulfilled" && socket.value.close()));
    signal.throwIfAborted();
    const hosts = sockets.flatMap((socket, index) =>
      socket.status === "fulfilled" ? [addHost(socket.value, announceIp ?? addresses[index] ?? "", index)] : [],
    );
    const [failed] = sockets.filter((socket) => socket.status === "rejected");
    if (hosts.length === 0) throw failed?.reason;
    return hosts;
  }

  /** Adds a host candidate that announces `address`. */
  function addHost(socket: UdpTransport, address: string, index: number): StunProtocol {
    const protocol = createStunProtocol(socket);
    filterSocket(protocol, socket, filtered);
    const priority = candidatePriority("host", { localPreference: 65_535 - index });
    const candidate = new Candidate(`${index + 1}`, 1, "udp", priority, address, socket.address.port, "host");
    addLocalCandidate(dtls.iceTransport, protocol, candidate);
    return protocol;
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
        opened = undefined; // The next offer tries again: ports may be free by then.
        throw error;
      }
      const { iceTransport } = dtls;
      await iceTransport.gather();
      return [...iceTransport.connection.localCandidates, ...reflexive].map(candidateValue);
    },
  };
}

/** The host's addresses, IPv4 first, or loopback if it has no other. */
function ownAddresses(): readonly string[] {
  const addresses = [...getHostAddresses(true, false), ...getHostAddresses(false, true)].slice(0, hostLimit);
  return addresses.length > 0 ? addresses : ["127.0.0.1"];
}

/** The server-reflexive candidate of a host candidate, from the first STUN server that responds. */
async function queryStun(
  host: StunProtocol,
  servers: readonly ServerAddress[],
  signal: AbortSignal,
): Promise<Candidate | undefined> {
  const own = host.localCandidate;
  if (own === undefined) return undefined;
  const mapped = await withDeadline(stunTimeoutMs, signal, (deadline) => {
    const queries = servers.map(async (server) => {
      const request = new Message(methods.BINDING, classes.REQUEST);
      const options = { retransmissions: 1, responseTimeout: stunTimeoutMs / 3, signal: deadline };
      const [response] = await host.request(request, server, undefined, options);
      return response.getAttributeValue("XOR-MAPPED-ADDRESS");
    });
    return untilAborted(Promise.any(queries), deadline).catch(() => undefined);
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
