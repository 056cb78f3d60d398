import type { RTCDtlsTransport } from "werift";

/** RTCP packet types (RFC 3550, section 12.1). */
const senderReport = 200;
const receiverReport = 201;

/** The maximum number of reports in one datagram. A caller with one source sends one. */
const reportLimit = 4;

const headerBytes = 4;

/**
 * Private member: `RTCDtlsTransport.srtcp`.
 *
 * Passes only sender and receiver reports of a caller's RTCP to werift. Without this patch, one datagram of 2 KB blocks the process
 * for 500 ms: each of its transport-wide feedback packets (not negotiated) expands to 65,535 objects. Call it once DTLS is
 * connected.
 *
 * Upstream issue: "RTCP: transport-wide feedback expands run lengths without a limit".
 */
export function keepReportsOnly(dtls: RTCDtlsTransport): void {
  const { srtcp } = dtls as unknown as DtlsInternals;
  const decrypt = srtcp.decrypt.bind(srtcp);
  srtcp.decrypt = (data) => selectReports(decrypt(data));
}

/** The reports in a compound packet (RFC 3550, section 6.1), up to a packet that is malformed. */
export function selectReports(compound: Buffer): Buffer {
  const reports: Buffer[] = [];
  for (let position = 0; position + headerBytes <= compound.length && reports.length < reportLimit; ) {
    const end = position + headerBytes + 4 * compound.readUInt16BE(position + 2);
    if (end > compound.length) break;
    const type = compound.readUInt8(position + 1);
    if (type === senderReport || type === receiverReport) reports.push(compound.subarray(position, end));
    position = end;
  }
  return Buffer.concat(reports);
}

interface DtlsInternals {
  readonly srtcp: { decrypt(data: Buffer): Buffer };
}
