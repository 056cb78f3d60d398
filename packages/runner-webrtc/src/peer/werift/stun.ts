/** The largest STUN message that is read, in bytes. A check has about 100, and the response of a TURN server about 150. */
const maxBytes = 548;

/** The maximum number of attributes. A check of Chromium has 10. */
const maxAttributes = 24;

const headerBytes = 20;
const cookie = 0x2112a442;
/** Attribute types (RFC 8489, section 18.3). */
const username = 0x0006;
const messageIntegrity = 0x0008;
const fingerprint = 0x8028;

/** What a STUN message tells before its password is checked. */
export interface StunMessage {
  /** Whether it is a response, and not a request or an indication. */
  readonly isResponse: boolean;
  /** Whether it is a response that refuses the request. */
  readonly isError: boolean;
  /** The part of USERNAME before the colon: the name of the receiver. */
  readonly receiver: string | undefined;
}

/**
 * Reads a STUN message without its password (RFC 8489, section 5). Returns undefined if it is malformed, too long, or has too many
 * attributes. werift computes a checksum over the whole message for each FINGERPRINT and MESSAGE-INTEGRITY: only one of each is
 * accepted, so that a message costs time in proportion to its length.
 */
export function readStun(data: Buffer): StunMessage | undefined {
  if (data.length < headerBytes || data.length > maxBytes) return undefined;
  if (data.readUInt32BE(4) !== cookie || data.readUInt16BE(2) !== data.length - headerBytes) return undefined;
  const checksums = new Set<number>();
  let receiver: string | undefined;
  let attributes = 0;
  for (let position = headerBytes; position < data.length; ) {
    if (position + 4 > data.length) return undefined;
    const type = data.readUInt16BE(position);
    const start = position + 4;
    const end = start + data.readUInt16BE(position + 2);
    attributes += 1;
    if (end > data.length || attributes > maxAttributes || checksums.has(type)) return undefined;
    if (type === messageIntegrity || type === fingerprint) checksums.add(type);
    if (type === username) receiver ??= data.toString("utf8", start, end).split(":", 1)[0];
    position = start + Math.ceil((end - start) / 4) * 4;
  }
  const messageClass = data.readUInt16BE(0) & 0x0110;
  return { isResponse: messageClass >= 0x0100, isError: messageClass === 0x0110, receiver };
}
