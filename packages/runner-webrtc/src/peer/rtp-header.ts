/** The largest packet that is looked into. Nothing of a call's is above what an Ethernet carries. */
const packetLimit = 2_048;

/** The longest extension of a header, in words. Browsers send eight. */
const extensionLimit = 64;

/** The first byte of RTP and RTCP (RFC 7983). */
export function isMedia(data: Buffer): boolean {
  const first = data[0] ?? 0;
  return first >= 128 && first < 192;
}

/**
 * Whether an RTP packet's header ends within the packet, and soon (RFC 3550, section 5.3.1). The engine reads a header before
 * it knows whom it is from, as far as the header says it goes: one that says 262,140 bytes keeps every call waiting for seconds.
 */
export function isSoundRtp(packet: Buffer): boolean {
  if (packet.length < 12 || packet.length > packetLimit) return false;
  const first = packet.readUInt8(0);
  const sourcesEnd = 12 + 4 * (first & 0x0f);
  if ((first & 0x10) === 0) return sourcesEnd <= packet.length;
  if (sourcesEnd + 4 > packet.length) return false;
  const words = packet.readUInt16BE(sourcesEnd + 2);
  return words <= extensionLimit && sourcesEnd + 4 + 4 * words <= packet.length;
}
