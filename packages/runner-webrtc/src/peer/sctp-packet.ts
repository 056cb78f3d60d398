/** The largest packet that is looked into. None of a call's is above what an Ethernet carries. */
const packetLimit = 2_048;

/** As many chunks as a SACK may acknowledge out of order. */
const gapLimit = 4_096;

const headerBytes = 12;

/** The chunks that the engine looks at here (RFC 9260, section 3.2). */
const data = 0;
const sack = 3;

/** Where the parameters of a chunk begin, by its type: INIT and its answer, HEARTBEAT and its, ABORT, ERROR, RE-CONFIG (RFC 6525). */
const parametersAt: Readonly<Record<number, number>> = { 1: 20, 2: 20, 4: 4, 5: 4, 6: 4, 9: 4, 130: 4 };

/**
 * Whether the lengths in an SCTP packet are such that reading it ends, and soon. Of a chunk or parameter of no length the
 * engine would read for ever, and fill the memory. Everything else in the packet is the engine's to check.
 */
export function isSoundSctp(packet: Buffer): boolean {
  if (packet.length > packetLimit) return false;
  let position = headerBytes;
  while (position + 4 <= packet.length) {
    const length = packet.readUInt16BE(position + 2);
    if (length < 4 || position + length > packet.length) return false;
    if (!isSoundChunk(packet.subarray(position, position + length))) return false;
    position += padded(length);
  }
  return true;
}

function isSoundChunk(chunk: Buffer): boolean {
  const type = chunk.readUInt8(0);
  // One without a byte of content would take up none of the room that there is for what is unfinished.
  if (type === data) return chunk.length > 16;
  if (type === sack) return isSoundSack(chunk);
  const start = parametersAt[type];
  return start === undefined || haveLength(chunk.subarray(start));
}

function haveLength(parameters: Buffer): boolean {
  for (let position = 0; position + 4 <= parameters.length; ) {
    const length = parameters.readUInt16BE(position + 2);
    if (length < 4) return false;
    position += padded(length);
  }
  return true;
}

/** RFC 9260, section 3.3.4. The engine makes a list of every chunk within the blocks. */
function isSoundSack(chunk: Buffer): boolean {
  if (chunk.length < 16) return false;
  const blocks = chunk.readUInt16BE(12);
  const duplicates = chunk.readUInt16BE(14);
  if (16 + 4 * (blocks + duplicates) > chunk.length) return false;
  let acknowledged = 0;
  for (let position = 16; position < 16 + 4 * blocks; position += 4)
    acknowledged += Math.max(0, chunk.readUInt16BE(position + 2) - chunk.readUInt16BE(position) + 1);
  return acknowledged <= gapLimit;
}

/** Chunks and parameters are padded to words. */
function padded(length: number): number {
  return Math.ceil(length / 4) * 4;
}
