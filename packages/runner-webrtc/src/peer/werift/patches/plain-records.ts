import type { RTCDtlsTransport } from "werift";

/** Content types of records (RFC 6347, section 4.1). */
const alert = 21;
const applicationData = 23;

const headerBytes = 13;

/**
 * Internal members: `DtlsSocket.transport.socket.onData`, `DtlsSocket.cipher`.
 *
 * Drops records that are not encrypted once DTLS is connected (RFC 6347, section 4.1). Without this patch, a ClientHello that
 * arrives late, because the network repeated or delayed it, replaces the keys: no message of the data channel arrives any more.
 * werift also ends the call after an alert, or a record of unknown type, without checking that the caller sent it. Call it once
 * DTLS is connected.
 *
 * Upstream issues: "DTLS: a late ClientHello of epoch 0 resets a connected server", "DTLS: alerts are not authenticated".
 */
export function dropPlainRecords({ dtls }: Pick<RTCDtlsTransport, "dtls">): void {
  if (dtls === undefined) return;
  const { transport, cipher } = dtls as unknown as DtlsInternals;
  const receive = transport.socket.onData;
  transport.socket.onData = (data) => {
    const accepted = splitRecords(data).filter((record) => isAccepted(record, cipher));
    if (accepted.length > 0) receive(Buffer.concat(accepted));
  };
}

function splitRecords(data: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let position = 0; position + headerBytes <= data.length; ) {
    const end = position + headerBytes + data.readUInt16BE(position + 11);
    records.push(data.subarray(position, end));
    position = end;
  }
  return records;
}

/** werift checks application data and the handshake itself. */
function isAccepted(record: Buffer, cipher: Cipher): boolean {
  const contentType = record.readUInt8(0);
  const epoch = record.readUInt16BE(3);
  if (epoch === 0 || contentType > applicationData) return false;
  if (contentType !== alert) return true;
  const protocolVersion = { major: record.readUInt8(1), minor: record.readUInt8(2) };
  const sequenceNumber = record.readUIntBE(5, 6);
  try {
    const recordLayerHeader = { contentType, protocolVersion, epoch, sequenceNumber };
    cipher.decryptPacket({ recordLayerHeader, fragment: record.subarray(headerBytes) });
    return true;
  } catch {
    return false; // It is not from the caller.
  }
}

interface DtlsInternals {
  readonly transport: { readonly socket: { onData(data: Buffer): void } };
  readonly cipher: Cipher;
}

interface Cipher {
  /** Throws unless the record is authentic. */
  decryptPacket(record: DtlsRecord): Buffer;
}

interface DtlsRecord {
  readonly recordLayerHeader: {
    readonly contentType: number;
    readonly protocolVersion: { readonly major: number; readonly minor: number };
    readonly epoch: number;
    readonly sequenceNumber: number;
  };
  readonly fragment: Buffer;
}
