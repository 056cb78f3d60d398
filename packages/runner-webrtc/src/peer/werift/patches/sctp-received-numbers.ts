import type { RTCSctpTransport } from "werift";

/**
 * Private members: `SCTP.markReceived`, `lastReceivedTsn`, `sackMisOrdered`, `sackDuplicates`.
 *
 * Records the transmission sequence number (TSN) of a received chunk and returns whether it is a duplicate (RFC 9260, section
 * 6.2). For each chunk, werift sorts all numbers received out of order, and sorts them as text. Without this patch the cost
 * of a lost chunk grows with the square of the chunks behind it, and where numbers get another digit or wrap, the received
 * chunks are acknowledged late or never.
 *
 * Upstream issue: "SCTP: markReceived() sorts TSNs as strings and takes quadratic time".
 */
export function markReceivedInConstantTime({ sctp }: Pick<RTCSctpTransport, "sctp">): void {
  const internals = sctp as unknown as SctpInternals;
  internals.markReceived = (tsn) => markReceived(internals, tsn);
}

function markReceived(sctp: SctpInternals, tsn: number): boolean {
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

function following({ lastReceivedTsn }: SctpInternals): number {
  return (lastReceivedTsn + 1) % 2 ** 32;
}

interface SctpInternals {
  lastReceivedTsn: number;
  /** Numbers received while an earlier one is missing. */
  readonly sackMisOrdered: Set<number>;
  readonly sackDuplicates: number[];
  markReceived(tsn: number): boolean;
}
