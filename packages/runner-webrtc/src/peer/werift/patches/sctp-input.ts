import type { RTCDtlsTransport, RTCSctpTransport } from "werift";

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
 * rejection (a packet that is too short), or fill the memory: werift ignores its own receive window. A packet of 2 KB takes
 * 7 ms with heartbeats, and 13 ms with requests for streams.
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

/** The largest packet that is accepted, in bytes. An Ethernet frame carries 1,500. */
const packetLimit = 2_048;

/** The maximum number of chunks that a SACK may acknowledge out of order. */
const gapLimit = 4_096;

/** The maximum number of chunks in a packet. Of each kind except data, there may be one: werift answers some with a packet. */
const chunkLimit = 128;

/** The maximum number of parameters in RE-CONFIG (RFC 6525, section 3.1). werift answers some with a packet. */
const reconfigLimit = 2;

const headerBytes = 12;

/** Chunk types that are checked here (RFC 9260, section 3.2, and RFC 6525). */
const data = 0;
const sack = 3;
const reconfig = 130;

/** Offset of the parameters in a chunk, by type: INIT and its ACK, HEARTBEAT and its ACK, ABORT, ERROR, RE-CONFIG (RFC 6525). */
const parametersAt: Readonly<Record<number, number>> = { 1: 20, 2: 20, 4: 4, 5: 4, 6: 4, 9: 4, [reconfig]: 4 };

/**
 * Whether reading an SCTP packet ends, and soon. werift loops forever on a chunk or parameter of length 0 and fills the memory.
 * werift checks everything else in the packet itself.
 */
export function isValidSctp(packet: Buffer): boolean {
  if (packet.length > packetLimit) return false;
  let position = headerBytes;
  let chunks = 0;
  const kinds = new Set<number>();
  while (position + 4 <= packet.length) {
    const length = packet.readUInt16BE(position + 2);
    if (length < 4 || position + length > packet.length) return false;
    chunks += 1;
    const type = packet.readUInt8(position);
    if (chunks > chunkLimit || kinds.has(type)) return false;
    if (type !== data) kinds.add(type);
    if (!isValidChunk(packet.subarray(position, position + length))) return false;
    position += padded(length);
  }
  return true;
}

function isValidChunk(chunk: Buffer): boolean {
  const type = chunk.readUInt8(0);
  // An empty data chunk would not count against the receive window.
  if (type === data) return chunk.length > 16;
  if (type === sack) return isValidSack(chunk);
  const start = parametersAt[type];
  if (start === undefined) return true;
  const parameters = countParameters(chunk.subarray(start));
  return parameters !== undefined && (type !== reconfig || parameters <= reconfigLimit);
}

/** Returns undefined if one has a length of 0. */
function countParameters(parameters: Buffer): number | undefined {
  let count = 0;
  for (let position = 0; position + 4 <= parameters.length; count++) {
    const length = parameters.readUInt16BE(position + 2);
    if (length < 4) return undefined;
    position += padded(length);
  }
  return count;
}

/** RFC 9260, section 3.3.4. werift lists every chunk within the gap blocks. */
function isValidSack(chunk: Buffer): boolean {
  if (chunk.length < 16) return false;
  const blocks = chunk.readUInt16BE(12);
  const duplicates = chunk.readUInt16BE(14);
  if (16 + 4 * (blocks + duplicates) > chunk.length) return false;
  let acknowledged = 0;
  for (let position = 16; position < 16 + 4 * blocks; position += 4)
    acknowledged += Math.max(0, chunk.readUInt16BE(position + 2) - chunk.readUInt16BE(position) + 1);
  return acknowledged <= gapLimit;
}

/** Chunks and parameters are padded to 4 bytes. */
function padded(length: number): number {
  return Math.ceil(length / 4) * 4;
}

interface SctpInternals {
  readonly advertisedRwnd: number;
  readonly sackMisOrdered: ReadonlySet<number>;
  readonly inboundStreams: Readonly<Record<string, { readonly reassembly: readonly unknown[] }>>;
  handleData(data: Buffer): Promise<void>;
}
