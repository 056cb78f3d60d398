import { connect, type Socket } from "node:net";
import { until } from "@pipecat-ts/runner-testing";
import { onTestFinished } from "vitest";

/** One HTTP response. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A TCP connection for arbitrary bytes. */
export interface RawConnection {
  readonly socket: Socket;
  /** The complete responses so far, oldest first. */
  answers(): RawAnswer[];
  /** All bytes received. */
  received(): Buffer;
  /** Resolves, and never rejects, when either side has closed the connection. */
  readonly closed: Promise<void>;
}

/** Connects to the server. Destroys the connection after the test. A broken connection counts as closed. */
export async function dial(port: number): Promise<RawConnection> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  onTestFinished(() => void socket.destroy());
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  // The server may reset the connection of a client that sends invalid bytes.
  socket.on("error", () => undefined);
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  const received = () => Buffer.concat(chunks);
  return { socket, received, answers: () => parseAnswers(received()), closed };
}

/** Sends bytes. Resolves with the responses when `count` have arrived, the server closed the connection, or `timeoutMs` passed. */
export async function exchange(
  port: number,
  bytes: string | Uint8Array,
  count: number = Number.POSITIVE_INFINITY,
  timeoutMs = 10_000,
): Promise<RawAnswer[]> {
  const { socket, received, closed } = await dial(port);
  const isHead = Buffer.from(bytes).subarray(0, 5).toString() === "HEAD ";
  const answers = () => parseAnswers(received(), isHead);
  const enough = new Promise<void>((resolve) => {
    if (Number.isFinite(count)) socket.on("data", () => answers().length >= count && resolve());
    socket.setTimeout(timeoutMs, resolve);
  });
  socket.write(bytes);
  await Promise.race([enough, closed]);
  socket.destroy();
  await closed;
  return answers();
}

/** The head of a request with `Host` and these lines. */
export function head(requestLine: string, ...lines: string[]): string {
  return [`${requestLine} HTTP/1.1`, "Host: 127.0.0.1", ...lines, "", ""].join("\r\n");
}

/** `isHead`: the first response answers a HEAD request and has no body. */
function parseAnswers(bytes: Buffer, isHead = false): RawAnswer[] {
  const answers: RawAnswer[] = [];
  for (let offset = 0; ; ) {
    const end = bytes.indexOf("\r\n\r\n", offset);
    if (end < 0) return answers;
    const [statusLine = "", ...lines] = bytes.toString("latin1", offset, end).split("\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]);
    const headers = Object.fromEntries(lines.map((line) => [line.split(":")[0]?.toLowerCase(), line.split(": ")[1]]));
    const length = isHead && answers.length === 0 ? 0 : Number(headers["content-length"] ?? 0);
    if (Number.isNaN(status) || bytes.length < end + 4 + length) return answers;
    const body = bytes.toString("utf8", end + 4, end + 4 + length);
    // 100 Continue precedes the response.
    if (status > 100) answers.push({ status, headers, body });
    offset = end + 4 + length;
  }
}

/** The headers of a valid WebSocket handshake. */
export const handshake: readonly string[] = [
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/** A WebSocket for hand-written frames. */
export interface RawWebSocket extends RawConnection {
  /** The code of the server's close frame (RFC 6455); `undefined` without one. */
  closeCode(): number | undefined;
}

/** Opens a WebSocket without a start request. Resolves when the server has switched protocols. */
export async function openRawWebSocket(port: number): Promise<RawWebSocket> {
  const connection = await dial(port);
  connection.socket.write(head("GET /ws-client", ...handshake));
  const switched = () => connection.received().indexOf("\r\n\r\n");
  await until("the server accepts the WebSocket", () => switched() > 0, 5_000);
  return { ...connection, closeCode: () => findCloseCode(connection.received().subarray(switched() + 4)) };
}

/** One frame of RFC 6455 from a client, masked with zeros: `first` is FIN, the reserved bits and the opcode. */
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
