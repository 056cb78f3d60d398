import { until } from "@pipecat-ts/runner-testing";
import { dial, head, type RawConnection } from "./raw.ts";

/** The headers of a WebSocket handshake that is in order. */
export const handshake: readonly string[] = [
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/** A WebSocket whose frames are made by hand. */
export interface RawWebSocket extends RawConnection {
  /** The code that the server closed it with, by RFC 6455; `undefined` when it said none. */
  closeCode(): number | undefined;
}

/** Calls in without a start request; resolves when the server has switched to the WebSocket protocol. */
export async function openRawWebSocket(port: number): Promise<RawWebSocket> {
  const connection = await dial(port);
  connection.socket.write(head("GET /ws-client", ...handshake));
  const switched = () => connection.received().indexOf("\r\n\r\n");
  await until("the server accepts the WebSocket", () => switched() > 0, 5_000);
  return { ...connection, closeCode: () => findCloseCode(connection.received().subarray(switched() + 4)) };
}

/** One frame of RFC 6455 as a client sends it: `first` is FIN, the reserved bits and the opcode. Masked, by zeros, unless told otherwise. */
export function frame(first: number, payload: Uint8Array, masked = true): Buffer {
  const { length } = payload;
  const mask = masked ? 0x80 : 0;
  const size =
    length < 126 ? [mask | length] : [mask | 127, 0, 0, 0, 0, length >>> 24, length >>> 16, length >>> 8, length];
  return Buffer.concat([Buffer.from([first, ...size, ...(masked ? [0, 0, 0, 0] : [])]), payload]);
}

function findCloseCode(frames: Buffer): number | undefined {
  for (let offset = 0; offset + 2 <= frames.length; ) {
    const size = (frames[offset + 1] ?? 0) & 0x7f;
    const [length, start] = size < 126 ? [size, offset + 2] : [frames.readUInt16BE(offset + 2), offset + 4];
    if (((frames[offset] ?? 0) & 0xf) === 8) return length < 2 ? undefined : frames.readUInt16BE(start);
    offset = start + length;
  }
  return undefined;
}
