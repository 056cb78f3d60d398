import { createRateLimit, type RateLimit } from "@pipecat-ts/runner-core";
import {
  type Connection,
  parseMessage,
  type RTCDtlsTransport,
  type StunOverTurnProtocol,
  type StunProtocol,
} from "werift";
import type { VideoStreams } from "../../../video/video-streams.ts";
import type { SocketAddress, UdpTransport } from "../../udp-transport.ts";
import { onDtlsSocket } from "../dtls-socket.ts";
import { readStun } from "../stun.ts";
import type { PreviousAddresses } from "./ice-restart.ts";

/** The largest datagram that is accepted, in bytes. An Ethernet frame carries 1,500. */
const packetLimit = 2_048;

/** The longest RTP header extension that is accepted, in 32-bit words. Browsers send 8. */
const extensionLimit = 64;

/** Datagrams of a caller, without video. Audio takes 50 to 100 per second, and a message on a data channel one per KiB. */
const datagramRate = { perSecond: 500, burst: 2_000 };

/** The maximum number of DTLS records in a datagram. A flight of a handshake has up to six. */
const recordLimit = 16;

/** Handshake datagrams of a caller: its side of a handshake has about five, and repeats lost ones after 50 ms or more. */
const handshakeRate = { perSecond: 20, burst: 100 };

/** Checks of a caller. Chromium sends 20 per second on each of a few pairs while it connects, and later one per pair and second. */
const checkRate = { perSecond: 200, burst: 1_000 };

/** Responses that refuse a check. After a role conflict, werift checks again at once; a browser reports at most one per pair. */
const refusalRate = { perSecond: 5, burst: 64 };

/**
 * The maximum number of addresses from which a caller may send checks, and of the candidates that it may announce. A laptop on
 * three networks with relays has about 20.
 */
export const candidateLimit = 64;

/** The maximum number of buffered handshake datagrams. The first flight is one datagram; the caller repeats lost ones. */
const earlyLimit = 2;

type Receive = UdpTransport["onData"];

/** The rates of one transport, whose sockets share them. */
export interface DatagramRates {
  readonly datagrams: RateLimit;
  readonly handshakes: RateLimit;
  readonly checks: RateLimit;
  readonly refusals: RateLimit;
}

export function createDatagramRates(): DatagramRates {
  return {
    datagrams: createRateLimit(datagramRate),
    handshakes: createRateLimit(handshakeRate),
    checks: createRateLimit(checkRate),
    refusals: createRateLimit(refusalRate),
  };
}

/** The transport whose datagrams are filtered. */
export interface FilteredTransport {
  readonly dtls: RTCDtlsTransport;
  readonly video: Pick<VideoStreams, "sort">;
  readonly previousAddresses: PreviousAddresses;
  readonly rates: DatagramRates;
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
 * seconds (an RTP header extension of 262,140 bytes, or a STUN message with thousands of checksums), and a caller can make us
 * send checks to any number of addresses, or thousands per second to one that refuses each of them.
 *
 * Upstream issues: "ICE: binding requests are accepted without a valid MESSAGE-INTEGRITY", "ICE: data from addresses that are
 * not candidates reaches DTLS and SRTP", "RTP: an extension longer than the packet blocks the parser", "STUN: repeated FINGERPRINT
 * attributes take quadratic time", "ICE: peer-reflexive candidates are not limited", "ICE: a check that is refused with a role
 * conflict is repeated without a limit".
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
  { dtls, video, previousAddresses, rates, ignored }: FilteredTransport,
): Receive {
  const ice = dtls.iceTransport.connection as Connection;
  const early: Buffer[] = [];
  let listening = false;
  const isCaller = (from: SocketAddress): boolean => hasCandidate(ice, from) || previousAddresses.includes(from);
  onDtlsSocket(dtls, () => {
    listening = true;
    for (const data of early.splice(0)) protocol.onDataReceived.execute(data);
  });

  /** werift checks responses against the request that they answer. */
  function isAcceptedStun(data: Buffer, from: SocketAddress): boolean {
    const message = readStun(data);
    if (message === undefined) return false;
    if (message.isError) return isCaller(from) && rates.refusals.take();
    if (message.isResponse) return true;
    const { receiver = "" } = message;
    if (!Object.hasOwn(ice.userHistory, receiver) || !rates.checks.take()) return false;
    if (ice.remoteCandidates.length >= candidateLimit && !isCaller(from)) return false;
    return parseMessage(data, Buffer.from(ice.userHistory[receiver] ?? "")) !== undefined;
  }

  function isAcceptedData(data: Buffer): boolean {
    if (!rates.datagrams.take()) return false;
    if (isMedia(data)) return isRtcp(data) || isValidRtp(data);
    return hasFewRecords(data) && (!isHandshake(data) || rates.handshakes.take());
  }

  return (data, from) => {
    const isSmall = data.length <= packetLimit;
    if (isSmall && isStun(data) && isAcceptedStun(data, from)) receiveStun(data, from);
    else if (!isSmall || isStun(data) || !isCaller(from)) ignored();
    else {
      const sorted = isMedia(data) && !isRtcp(data) && isValidRtp(data) ? video.sort(data) : undefined;
      if (sorted === "skip") return;
      if (sorted === undefined && !isAcceptedData(data)) ignored();
      else if (listening) protocol.onDataReceived.execute(data);
      else if (early.length < earlyLimit) early.push(data);
    }
  };
}

/** RFC 7983: the first byte distinguishes STUN, DTLS and media. */
function isStun(data: Buffer): boolean {
  return (data[0] ?? 0) < 4;
}

/** RFC 6347, section 4.1: the content type. */
function isHandshake(data: Buffer): boolean {
  return data[0] === 22;
}

/** Whether the records of a datagram (RFC 6347, section 4.1) are few. werift decrypts each of them. */
export function hasFewRecords(data: Buffer): boolean {
  let records = 0;
  for (let position = 0; position + 13 <= data.length; position += 13 + data.readUInt16BE(position + 11)) records += 1;
  return records <= recordLimit;
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
