import {
  type Connection,
  parseMessage,
  type RTCDtlsTransport,
  type StunOverTurnProtocol,
  type StunProtocol,
} from "werift";
import type { SocketAddress, UdpTransport } from "../../udp-transport.ts";
import { onDtlsSocket } from "../dtls-socket.ts";
import type { PreviousAddresses } from "./ice-restart.ts";

/** The largest media packet that is accepted, in bytes. An Ethernet frame carries 1,500. */
const packetLimit = 2_048;

/** The longest RTP header extension that is accepted, in 32-bit words. Browsers send 8. */
const extensionLimit = 64;

/** The maximum number of buffered handshake datagrams. The first flight is one datagram; the caller repeats lost ones. */
const earlyLimit = 2;

type Receive = UdpTransport["onData"];

/** The transport whose datagrams are filtered. */
export interface FilteredTransport {
  readonly dtls: RTCDtlsTransport;
  readonly previousAddresses: PreviousAddresses;
  /** Called for each datagram that is dropped. */
  ignored(): void;
}

/**
 * Private members: `StunProtocol.datagramReceived`, `StunOverTurnProtocol.handleStunMessage`.
 *
 * Filters the datagrams of a socket: STUN requests must carry our password (RFC 8445, section 7.3), everything else must come
 * from a candidate of the caller and, if it is RTP, have a valid header. Handshake datagrams that arrive before werift listens are buffered, because the caller would repeat them only after a while.
 *
 * Without this patch, anyone who knows the port can end a call (a DTLS alert), inject packets, or block the process for
 * seconds (an RTP header extension of 262,140 bytes).
 *
 * Upstream issues: "ICE: binding requests are accepted without a valid MESSAGE-INTEGRITY", "ICE: data from addresses that are
 * not candidates reaches DTLS and SRTP", "RTP: an extension longer than the packet blocks the parser".
 */
export function filterSocket(protocol: StunProtocol, socket: UdpTransport, transport: FilteredTransport): void {
  const { datagramReceived } = protocol as unknown as StunProtocolInternals;
  socket.onData = filter(protocol, datagramReceived.bind(protocol), transport);
}

/** The same for datagrams that a TURN server relays. */
export function filterRelay(protocol: StunOverTurnProtocol, transport: FilteredTransport): void {
  const internals = protocol as unknown as RelayInternals;
  internals.handleStunMessage = filter(protocol, internals.handleStunMessage, transport);
}

function filter(
  protocol: Pick<StunProtocol, "onDataReceived">,
  receiveStun: Receive,
  { dtls, previousAddresses, ignored }: FilteredTransport,
): Receive {
  const ice = dtls.iceTransport.connection as Connection;
  const early: Buffer[] = [];
  let listening = false;
  const isCaller = (from: SocketAddress): boolean => hasCandidate(ice, from) || previousAddresses.includes(from);
  onDtlsSocket(dtls, () => {
    listening = true;
    for (const data of early.splice(0)) protocol.onDataReceived.execute(data);
  });
  return (data, from) => {
    if (isStun(data)) {
      if (isAuthentic(data, ice)) receiveStun(data, from);
      else ignored();
    } else if (!isCaller(from) || (isMedia(data) && !isRtcp(data) && !isValidRtp(data))) ignored();
    else if (listening) protocol.onDataReceived.execute(data);
    else if (early.length < earlyLimit) early.push(data);
  };
}

/** RFC 7983: the first byte distinguishes STUN, DTLS and media. */
function isStun(data: Buffer): boolean {
  return (data[0] ?? 0) < 4;
}

function isMedia(data: Buffer): boolean {
  const first = data[0] ?? 0;
  return first >= 128 && first < 192;
}

/** RFC 5761, section 4. werift reads RTCP only after it is authenticated. */
function isRtcp(data: Buffer): boolean {
  const type = data[1] ?? 0;
  return type >= 192 && type <= 208;
}

/**
 * Whether an RTP header ends within its packet (RFC 3550, section 5.3.1) and its extension is short. werift reads the header
 * before the packet is authenticated.
 */
export function isValidRtp(packet: Buffer): boolean {
  if (packet.length < 12 || packet.length > packetLimit) return false;
  const first = packet.readUInt8(0);
  const sourcesEnd = 12 + 4 * (first & 0x0f);
  if ((first & 0x10) === 0) return sourcesEnd <= packet.length;
  if (sourcesEnd + 4 > packet.length) return false;
  const words = packet.readUInt16BE(sourcesEnd + 2);
  return words <= extensionLimit && sourcesEnd + 4 + 4 * words <= packet.length;
}

/** Checks the password of a request. werift checks responses against the request that they answer. */
function isAuthentic(data: Buffer, ice: Connection): boolean {
  const message = parseMessage(data);
  if (message === undefined) return false;
  if ((data.readUInt16BE(0) & 0x0110) !== 0) return true;
  const [usernameFragment = ""] = String(message.getAttributeValue("USERNAME") ?? "").split(":");
  if (!Object.hasOwn(ice.userHistory, usernameFragment)) return false;
  return parseMessage(data, Buffer.from(ice.userHistory[usernameFragment] ?? "")) !== undefined;
}

function hasCandidate(ice: Connection, [host, port]: SocketAddress): boolean {
  const nominated = ice.nominated?.remoteCandidate;
  if (nominated?.port === port && nominated.host === host) return true;
  return ice.remoteCandidates.some((candidate) => candidate.port === port && candidate.host === host);
}

interface StunProtocolInternals {
  datagramReceived: Receive;
}

interface RelayInternals {
  /** Receives each datagram that the relay forwards. */
  handleStunMessage: Receive;
}
