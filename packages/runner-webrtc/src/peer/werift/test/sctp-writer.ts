import { expect, vi } from "vitest";
import type { RTCPeerConnection } from "werift";
import { type Call, openCall } from "../../test/peer-fixture.ts";

/** Writes SCTP packets by hand, valid or not, and sends them as the caller. */
export interface SctpWriter {
  /** A packet with a valid header and checksum. */
  packet(...chunks: readonly Buffer[]): Buffer;
  /** Sends a packet as the caller. */
  send(packet: Buffer): Promise<void>;
  /** Sends chunks in packets of 40, one packet per turn of the event loop. */
  sendChunks(chunks: readonly Buffer[]): Promise<void>;
  /** The transmission sequence number of the caller's next data chunk. */
  readonly nextTsn: number;
}

/** `connection` is a caller's, with an open data channel. */
export function createSctpWriter(connection: RTCPeerConnection): SctpWriter {
  const dtls = connection.dtlsTransports[0];
  const sctp = connection.sctpTransport?.sctp as unknown as SctpInside;
  const packet = (...chunks: readonly Buffer[]): Buffer => sctpPacket(sctp.remoteVerificationTag, ...chunks);
  const send = async (data: Buffer): Promise<void> => void (await dtls?.sendData(data));
  return {
    packet,
    send,
    async sendChunks(chunks) {
      for (let sent = 0; sent < chunks.length; sent += 40) {
        await send(packet(...chunks.slice(sent, sent + 40)));
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    get nextTsn() {
      return sctp.localTsn;
    },
  };
}

/** Opens a call with a data channel, and a writer that sends SCTP as its caller. */
export async function openSctpCall(): Promise<Call & { readonly sctp: SctpWriter }> {
  const call = await openCall();
  await vi.waitFor(() => expect(call.events.channel).toEqual(["open"]));
  return { ...call, sctp: createSctpWriter(call.caller.connection) };
}

/** Private members of werift 0.25.2. */
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

/** RFC 9260, section 3.2. `length` is the length field of the chunk. */
export function chunk(type: number, flags: number, body: Buffer, length: number = 4 + body.length): Buffer {
  const padded = Buffer.alloc(4 + Math.ceil(body.length / 4) * 4);
  padded.writeUInt8(type, 0);
  padded.writeUInt8(flags, 1);
  padded.writeUInt16BE(length, 2);
  body.copy(padded, 4);
  return padded;
}

/** Flags of a data chunk: first of its message, last of its message, unordered. */
export const first = 2;
export const last = 1;
export const unordered = 4;

/** A data chunk (RFC 9260, section 3.3.1). The default `protocol` is text. */
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
