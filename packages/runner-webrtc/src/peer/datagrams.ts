import { type Connection, parseMessage, type RTCDtlsTransport, type StunProtocol } from "werift";
import { isMedia, isSoundRtp } from "./rtp-header.ts";
import type { SocketAddress } from "./udp-transport.ts";

/**
 * What is to be done with the datagrams of a socket, or of a relay: STUN is given to `receiveStun` when it knows our password,
 * anything else to the engine, from where ICE has found the caller alone. (The engine by itself takes any sender's word for
 * both.) What of the handshake arrives before the engine listens is kept for it: the caller would only send it again after a
 * while.
 */
export function filterDatagrams(
  protocol: Pick<StunProtocol, "onDataReceived">,
  receiveStun: (data: Buffer, from: SocketAddress) => void,
  dtls: RTCDtlsTransport,
  ignored: () => void,
): (data: Buffer, from: SocketAddress) => void {
  const ice = dtls.iceTransport.connection as Connection;
  const early: Buffer[] = [];
  let listens = false;
  dtls.onStateChange.subscribe((state) => {
    if (state !== "connecting") return;
    // The state changes just before the engine listens.
    setImmediate(() => {
      listens = true;
      for (const data of early.splice(0)) protocol.onDataReceived.execute(data);
    });
  });
  return (data, from) => {
    if (isStun(data)) {
      if (isAuthentic(data, ice)) receiveStun(data, from);
      else ignored();
    } else if (!isCaller(from, ice) || (isMedia(data) && !isSoundMedia(data))) ignored();
    else if (listens) protocol.onDataReceived.execute(data);
    else if (early.length < earlyLimit) early.push(data);
  };
}

/** A first flight is one datagram; retransmissions of it need not be kept. */
const earlyLimit = 2;

/** RFC 7983: the first byte tells what is what. */
function isStun(data: Buffer): boolean {
  return (data[0] ?? 0) < 4;
}

/** RTCP (RFC 5761, section 4) is read once it is known to be the caller's. */
function isSoundMedia(data: Buffer): boolean {
  const type = data[1] ?? 0;
  return (type >= 192 && type <= 208) || isSoundRtp(data);
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
