import type { RTCDtlsTransport, RTCSctpTransport } from "werift";
import { isValidSctp } from "../sctp-packet.ts";

/**
 * The maximum number of chunks that wait for a lost one or for the rest of their message. The receive window of 1 MiB holds
 * about 900 full chunks.
 */
const waitingLimit = 1_024;

/** The maximum number of streams that a caller may send on. Each data channel uses one. */
const streamLimit = 64;

/** Reports what arrived over SCTP. */
export interface SctpInputListener {
  /** Any packet of the caller. */
  received(): void;
  /** A packet that could not be read. */
  dropped(): void;
  /** The caller exceeded the receive window (RFC 9260, section 6.2). Called once; later packets are discarded. */
  overrun(): void;
}

/**
 * Private members: `SCTP.handleData`, `advertisedRwnd`, `sackMisOrdered`, `inboundStreams`.
 *
 * Without this patch, a caller's SCTP packet can keep werift in an endless loop (a chunk of length 0), cause an unhandled
 * rejection (a packet that is too short), or fill the memory: werift ignores its own receive window.
 *
 * Upstream issues: "SCTP: a chunk or parameter of length 0 never ends the parser", "SCTP: handleData() rejects unhandled on
 * malformed packets", "SCTP: the receive window is announced but not enforced".
 */
export function guardSctpInput(transport: RTCSctpTransport, dtls: RTCDtlsTransport, listener: SctpInputListener): void {
  const sctp = transport.sctp as unknown as SctpInternals;
  dtls.dataReceiver = (data) => {
    listener.received();
    if (!isValidSctp(data)) return listener.dropped();
    sctp.handleData(data).catch(listener.dropped);
    if (!isOverrun(sctp)) return;
    dtls.dataReceiver = () => undefined;
    listener.overrun();
  };
}

function isOverrun({ advertisedRwnd, sackMisOrdered, inboundStreams }: SctpInternals): boolean {
  if (advertisedRwnd < 0 || sackMisOrdered.size > waitingLimit) return true;
  const streams = Object.values(inboundStreams);
  if (streams.length > streamLimit) return true;
  return streams.reduce((sum, { reassembly }) => sum + reassembly.length, 0) > waitingLimit;
}

interface SctpInternals {
  readonly advertisedRwnd: number;
  readonly sackMisOrdered: ReadonlySet<number>;
  readonly inboundStreams: Readonly<Record<string, { readonly reassembly: readonly unknown[] }>>;
  handleData(data: Buffer): Promise<void>;
}
