import { expect } from "vitest";
import {
  DtlsServer,
  Event,
  parseMessage,
  type RTCDtlsTransport,
  type RTCSctpTransport,
  RtcpPacketConverter,
  RtpPacket,
  type Transport,
} from "werift";
import { catchDataChannelErrors } from "../patches/data-channel-errors.ts";
import { isValidRtp } from "../patches/datagram-filter.ts";
import { boundHandshakes } from "../patches/handshake-bounds.ts";
import { selectReports } from "../patches/rtcp-reports.ts";
import { guardSctpInput } from "../patches/sctp-input.ts";
import { markReceivedInConstantTime } from "../patches/sctp-received-numbers.ts";
import { readStun } from "../stun.ts";
import { openSctpCall, sctpPacket } from "./sctp-writer.ts";

/**
 * What happens to a caller's bytes in the adapter and in werift, without sockets and encryption. Each function returns whether
 * werift read them, and throws what werift throws.
 */
export function receiveStun(data: Buffer, password: Buffer = Buffer.alloc(0)): boolean {
  if (readStun(data) === undefined) return false;
  if (password.length > 0) return parseMessage(data, password) !== undefined;
  return parseMessage(data) !== undefined;
}

/** A decrypted packet. */
export function receiveRtp(data: Buffer): boolean {
  return isValidRtp(data) && RtpPacket.deSerialize(data).payload.length >= 0;
}

/** A decrypted compound packet. */
export function receiveRtcp(data: Buffer): boolean {
  return RtcpPacketConverter.deSerialize(selectReports(data)).length > 0;
}

/** The receiving side of an SCTP association. */
export interface SctpReceiver {
  readonly nextTsn: number;
  readonly isOpen: boolean;
  /** Sends chunks to it. Resolves when they are handled, with whether the packet was read. */
  receive(chunks: Buffer): Promise<boolean>;
}

export async function openSctpReceiver(): Promise<SctpReceiver> {
  const { caller } = await openSctpCall();
  const transport: RTCSctpTransport = caller.connection.sctpTransport ?? expect.fail("The caller has no SCTP.");
  const { dtlsTransport } = transport;
  let dropped = 0;
  let isOverrun = false;
  const drop = (): void => {
    dropped += 1;
  };
  markReceivedInConstantTime(transport);
  catchDataChannelErrors(transport, drop);
  guardSctpInput(transport, dtlsTransport, {
    received: () => undefined,
    dropped: drop,
    overrun: () => {
      isOverrun = true;
    },
  });
  const inside = transport.sctp as unknown as SctpInside;
  return {
    get nextTsn() {
      return ((inside.lastReceivedTsn ?? 0) + 1) >>> 0;
    },
    get isOpen() {
      return !isOverrun && transport.sctp.state === "connected";
    },
    async receive(chunks) {
      const before = dropped;
      dtlsTransport.dataReceiver(sctpPacket(inside.localVerificationTag, chunks));
      await new Promise((resolve) => setImmediate(resolve));
      return dropped === before;
    },
  };
}

/** Private members of werift 0.25.2. */
interface SctpInside {
  readonly localVerificationTag: number;
  readonly lastReceivedTsn?: number;
}

/** The server side of a DTLS handshake that sends to nowhere. Returns the function that receives datagrams. */
export async function openDtlsReceiver(): Promise<(data: Buffer) => boolean> {
  const network = {
    type: "udp",
    closed: false,
    onData: (_data: Buffer): void => undefined,
    send: async () => undefined,
    close: async () => undefined,
  };
  const socket = new DtlsServer({ transport: network as unknown as Transport });
  const transport = { onStateChange: new Event<[state: string]>(), dtls: socket };
  boundHandshakes(transport as unknown as RTCDtlsTransport);
  transport.onStateChange.execute("connecting");
  await new Promise((resolve) => setImmediate(resolve));
  socket.onError.subscribe(() => undefined);
  return (data) => {
    try {
      network.onData(data);
      return true;
    } catch {
      return false; // werift's Connection catches it too: the datagram counts as lost.
    }
  };
}
