import { type Connection, parseMessage, type RTCDtlsTransport, type StunProtocol } from "werift";
import type { SocketAddress } from "./udp-transport.ts";

/**
 * Gives a socket's datagrams to the engine: STUN to ICE when it knows our password, anything else only from where ICE has
 * found the caller. (The engine by itself takes any sender's word for both.) What of the handshake arrives before the
 * engine listens is kept for it: the caller would only send it again after a while.
 */
export function receiveDatagrams(protocol: StunProtocol, dtls: RTCDtlsTransport, ignored: () => void): void {
  const ice = dtls.iceTransport.connection as Connection;
  const early: Buffer[] = [];
  const receive = protocol.transport.onData;
  protocol.transport.onData = (data, from) => {
    if (isStun(data)) {
      if (isAuthentic(data, ice)) receive(data, from);
      else ignored();
    } else if (!isCaller(from, ice)) ignored();
    else if (dtls.dtls !== undefined) {
      protocol.onDataReceived.execute(data);
      const { bufferFragmentedHandshakes: parts } = dtls.dtls as unknown as DtlsInside;
      if (parts.length > partsLimit) parts.length = 0;
    } else if (early.length < earlyLimit) early.push(data);
  };
  dtls.onStateChange.subscribe((state) => {
    if (state !== "connecting") return;
    // The state changes just before the engine listens.
    setImmediate(() => {
      for (const data of early.splice(0)) protocol.onDataReceived.execute(data);
    });
  });
}

/** The engine keeps parts of handshake messages until the last one comes. A certificate in parts has a dozen. */
const partsLimit = 64;

/** The engine's parts that its types hide, as of 0.25.2. */
interface DtlsInside {
  readonly bufferFragmentedHandshakes: unknown[];
}

/** A first flight is one datagram; retransmissions of it need not be kept. */
const earlyLimit = 2;

/** RFC 7983: the first byte tells what is what. */
function isStun(data: Buffer): boolean {
  return (data[0] ?? 0) < 4;
}

/** RFC 8445, section 7.3: a request counts with our password only. Answers are checked where they are awaited. */
function isAuthentic(data: Buffer, ice: Connection): boolean {
  const message = parseMessage(data);
  if (message === undefined) return false;
  if ((data.readUInt16BE(0) & 0x0110) !== 0) return true;
  const [usernameFragment = ""] = String(message.getAttributeValue("USERNAME") ?? "").split(":");
  if (!Object.hasOwn(ice.userHistory, usernameFragment)) return false;
  return parseMessage(data, Buffer.from(ice.userHistory[usernameFragment] ?? "")) !== undefined;
}

function isCaller([host, port]: SocketAddress, ice: Connection): boolean {
  const nominated = ice.nominated?.remoteCandidate;
  if (nominated?.port === port && nominated.host === host) return true;
  return ice.remoteCandidates.some((candidate) => candidate.port === port && candidate.host === host);
}
