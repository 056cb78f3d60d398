import type { RTCPeerConnection } from "werift";

/** SCTP of a caller's, written by hand: past everything that would keep it from being nonsense. */
export interface SctpWriter {
  /** A packet that its receiver has to believe, whatever the chunks are. */
  packet(...chunks: readonly Buffer[]): Buffer;
  /** Sends a packet as the caller. */
  send(packet: Buffer): Promise<void>;
  /** The next number that the caller would give a chunk of data. */
  readonly nextTsn: number;
}

/** Of a caller whose data channel is open. */
export function createSctpWriter(connection: RTCPeerConnection): SctpWriter {
  const dtls = connection.dtlsTransports[0];
  const sctp = connection.sctpTransport?.sctp as unknown as SctpInside;
  return {
    packet: (...chunks) => sctpPacket(sctp.remoteVerificationTag, ...chunks),
    async send(packet) {
      await dtls?.sendData(packet);
    },
    get nextTsn() {
      return sctp.localTsn;
    },
  };
}

/** The engine's parts that its types hide, as of 0.25.2. */
interface SctpInside {
  readonly remoteVerificationTag: number;
  readonly localTsn: number;
}

/** RFC 9260, section 3.1. Both ports are 5000. */
export function sctpPacket(verificationTag: number, ...chunks: readonly Buffer[]): Buffer {
  const header = Buffer.from("138813880000000000000000", "hex");
  header.writeUInt32BE(verificationTag >>> 0, 4);
  const packet = Buffer.concat([header, ...chunks]);
  packet.writeUInt32LE(crc32c(packet), 8);
  return packet;
}

/** RFC 9260, section 3.2. `length` is what the chunk says of itself; what it has, unless said. */
export function chunk(type: number, flags: number, body: Buffer, length: number = 4 + body.length): Buffer {
  const padded = Buffer.alloc(4 + Math.ceil(body.length / 4) * 4);
  padded.writeUInt8(type, 0);
  padded.writeUInt8(flags, 1);
  padded.writeUInt16BE(length, 2);
  body.copy(padded, 4);
  return padded;
}

/** Flags of a chunk of data: the first of its message, the last, and to be read in any order. */
export const first = 2;
export const last = 1;
export const unordered = 4;

/** A chunk of data (RFC 9260, section 3.3.1), text unless `protocol` says otherwise. */
export function dataChunk({
  tsn,
  stream = 0,
  sequence = 0,
  flags = first | last,
  protocol = 51,
  content = "x",
}: {
  readonly tsn: number;
  readonly stream?: number;
  readonly sequence?: number;
  readonly flags?: number;
  readonly protocol?: number;
  readonly content?: string | Buffer;
}): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt32BE(tsn >>> 0, 0);
  head.writeUInt16BE(stream, 4);
  head.writeUInt16BE(sequence, 6);
  head.writeUInt32BE(protocol, 8);
  return chunk(0, flags, Buffer.concat([head, Buffer.from(content)]));
}

/** A SACK (RFC 9260, section 3.3.4). */
export function sackChunk(cumulativeTsn: number, blocks: readonly (readonly [first: number, last: number])[]): Buffer {
  const body = Buffer.alloc(12 + 4 * blocks.length);
  body.writeUInt32BE(cumulativeTsn >>> 0, 0);
  body.writeUInt32BE(65_536, 4);
  body.writeUInt16BE(blocks.length, 8);
  for (const [index, [from, to]] of blocks.entries()) {
    body.writeUInt16BE(from, 12 + 4 * index);
    body.writeUInt16BE(to, 14 + 4 * index);
  }
  return chunk(3, 0, body);
}

/** RFC 9260, appendix A. */
function crc32c(bytes: Buffer): number {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0x82f63b78 : 0);
  }
  return ~sum >>> 0;
}
