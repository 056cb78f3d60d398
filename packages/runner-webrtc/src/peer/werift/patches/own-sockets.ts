import { type Candidate, type Protocol, type RTCIceTransport, StunProtocol } from "werift";
import type { UdpTransport } from "../../udp-transport.ts";

/**
 * Private members: `Connection.protocols`, `ensureProtocol`.
 *
 * Adds a local candidate with a socket that the runner opened, before any remote candidate. werift opens its own sockets only: without this patch they
 * cannot be limited to `--udp-ports`, `--announce-ip` or one host address, and their errors become unhandled rejections.
 *
 * Upstream issue: "Accept application-provided UDP sockets and local candidates".
 */
export function addLocalCandidate({ connection }: RTCIceTransport, protocol: Protocol, candidate: Candidate): void {
  const internals = connection as unknown as IceInternals;
  protocol.localCandidate = candidate;
  internals.ensureProtocol(protocol);
  internals.protocols.push(protocol);
}

/** Wraps a socket in werift's protocol for STUN and data. The caller of this function sets `socket.onData`. */
export function createStunProtocol(socket: UdpTransport): StunProtocol {
  const protocol = new StunProtocol();
  protocol.transport = socket as unknown as StunProtocol["transport"];
  protocol.localIp = socket.address.address;
  return protocol;
}

interface IceInternals {
  readonly protocols: Protocol[];
  ensureProtocol(protocol: Protocol): void;
}
