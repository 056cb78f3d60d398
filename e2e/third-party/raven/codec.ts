/** A packet is the length of its payload in 4 bytes (big endian), its kind in 1 byte, and the payload. */
export interface Packet {
  readonly kind: number;
  readonly payload: Buffer;
}

/** JSON in all payloads but audio, which is mono PCM16 at 16,000 Hz. */
export const kinds = { hello: 1, welcome: 2, refused: 3, audio: 4, message: 5, clear: 6 } as const;

const headBytes = 5;
const maxPayload = 65_536;

export function encode(kind: keyof typeof kinds, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUInt32BE(payload.length);
  head[4] = kinds[kind];
  return Buffer.concat([head, payload]);
}

export function encodeJson(kind: keyof typeof kinds, value: unknown): Buffer {
  return encode(kind, Buffer.from(JSON.stringify(value)));
}

/** Splits a stream into packets. Returns `undefined` when the stream is not valid: nothing after that can be read. */
export function createDecoder(): (chunk: Buffer) => Packet[] | undefined {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    const packets: Packet[] = [];
    while (rest.length >= headBytes) {
      const length = rest.readUInt32BE(0);
      if (length > maxPayload) return undefined;
      if (rest.length < headBytes + length) break;
      packets.push({ kind: rest.readUInt8(4), payload: rest.subarray(headBytes, headBytes + length) });
      rest = rest.subarray(headBytes + length);
    }
    return packets;
  };
}

/** `undefined` for a payload that is not JSON. */
export function parseJson({ payload }: Packet): unknown {
  try {
    return JSON.parse(String(payload));
  } catch {
    return undefined;
  }
}
