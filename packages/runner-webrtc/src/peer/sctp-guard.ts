import type { RTCDtlsTransport, RTCSctpTransport } from "werift";
import { isSoundSctp } from "./sctp-packet.ts";

/**
 * As many chunks as may wait for others: for one lost before them, or for the rest of their message. The window of 1 MiB that
 * we announce holds 900 chunks as full as they can be.
 */
const waitingLimit = 1_024;

/** As many streams as a caller may send on. Each data channel is one. */
const streamLimit = 64;

/**
 * Keeps what a caller sends over its data channels from hurting more than that caller: the engine leaves the rejections of
 * its own handlers unhandled, and holds unfinished messages without end. `heard` is told of whatever comes, `dropped` of each
 * packet or message that cannot be understood, `overrun`, once, when the caller ignores how much may be under way (RFC 9260,
 * section 6.2): nothing is taken from then on.
 */
export function guardSctp(
  transport: RTCSctpTransport,
  dtls: RTCDtlsTransport,
  handle: { heard(): void; dropped(): void; overrun(): void },
): void {
  const sctp = transport.sctp as unknown as SctpInside;
  sctp.markReceived = (tsn) => markReceived(sctp, tsn);
  dtls.dataReceiver = (data) => {
    handle.heard();
    if (!isSoundSctp(data)) return handle.dropped();
    sctp.handleData(data).catch(handle.dropped);
    if (!isOverrun(sctp)) return;
    dtls.dataReceiver = () => undefined;
    handle.overrun();
  };
  transport.sctp.onReceive.allUnsubscribe();
  const { datachannelReceive } = transport as unknown as TransportInside;
  transport.sctp.onReceive.subscribe((streamId, protocol, data) => {
    datachannelReceive(streamId, protocol, data).catch(handle.dropped);
  });
}

function isOverrun({ advertisedRwnd, sackMisOrdered, inboundStreams }: SctpInside): boolean {
  if (advertisedRwnd < 0 || sackMisOrdered.size > waitingLimit) return true;
  const streams = Object.values(inboundStreams);
  if (streams.length > streamLimit) return true;
  return streams.reduce((sum, { reassembly }) => sum + reassembly.length, 0) > waitingLimit;
}

/**
 * Takes note of a chunk by its number, and tells whether it came before (RFC 9260, section 6.2). The engine's own way sorts
 * all that came out of order, as text, for every chunk.
 */
function markReceived(sctp: SctpInside, tsn: number): boolean {
  const isOld = (tsn - sctp.lastReceivedTsn) >>> 0 >= 2 ** 31 || tsn === sctp.lastReceivedTsn;
  if (isOld || sctp.sackMisOrdered.has(tsn)) {
    sctp.sackDuplicates.push(tsn);
    return true;
  }
  sctp.sackMisOrdered.add(tsn);
  for (let next = following(sctp); sctp.sackMisOrdered.delete(next); next = following(sctp))
    sctp.lastReceivedTsn = next;
  return false;
}

function following({ lastReceivedTsn }: SctpInside): number {
  return (lastReceivedTsn + 1) % 2 ** 32;
}

/** The engine's parts that its types hide, as of 0.25.2. */
interface SctpInside {
  readonly advertisedRwnd: number;
  lastReceivedTsn: number;
  /** The numbers of what came while something before it is missing. */
  readonly sackMisOrdered: Set<number>;
  readonly sackDuplicates: number[];
  readonly inboundStreams: Readonly<Record<string, { readonly reassembly: readonly unknown[] }>>;
  handleData(data: Buffer): Promise<void>;
  markReceived(tsn: number): boolean;
}
interface TransportInside {
  datachannelReceive(streamId: number, protocol: number, data: Buffer): Promise<void>;
}
