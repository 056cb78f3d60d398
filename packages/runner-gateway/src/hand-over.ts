import type { IncomingMessage } from "node:http";
import { connect, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { clientHeader } from "./headers.ts";
import type { WorkerProcess } from "./worker-process.ts";

/** The private parts of a socket that stop reading: Node has no public way to do so after a request was read. */
interface SocketInternals {
  _handle?: { readonly readStop?: unknown } | null;
  server?: unknown;
}

/**
 * Stops reading from a caller's connection, so that the worker gets everything that follows the request. `pause()` is not enough: the
 * process would read on until the worker has taken the socket, and lose what it reads. Returns false where the socket cannot be handed
 * over (TLS, Windows, other runtimes).
 */
export function stopReading(connection: Duplex): connection is Socket {
  if (!(connection instanceof Socket) || connection instanceof TLSSocket || process.platform === "win32") return false;
  const handle = (connection as SocketInternals)._handle;
  if (typeof handle?.readStop !== "function") return false;
  handle.readStop();
  return true;
}

/** An upgrade request and its connection. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly connection: Duplex;
  /** Bytes that arrived behind the request. */
  readonly head: Buffer;
  /** Whether `stopReading` returned true. */
  readonly isStopped: boolean;
}

/** Gives a caller's connection to a worker. `onClosed` is called once, when the connection is closed. */
export function passUpgrade(worker: WorkerProcess, upgrade: Upgrade, onClosed?: () => void): void {
  const { request, connection, head, isStopped } = upgrade;
  if (!isStopped || !(connection instanceof Socket)) {
    pipe(worker, upgrade);
    if (onClosed) connection.once("close", onClosed);
    return;
  }
  const received: Buffer | null = connection.read();
  stopReading(connection); // `read` may have resumed it.
  const bytes = Buffer.concat([headOf(request), head, ...(received ? [received] : [])]);
  // Otherwise Node's server would count the connection until the worker has closed it.
  (connection as SocketInternals).server = null;
  worker.handOver(connection, bytes, onClosed);
}

/** Sends a caller's connection through this process. */
function pipe(worker: WorkerProcess, { request, connection, head }: Upgrade): void {
  const upstream = connect({ path: worker.path, allowHalfOpen: true });
  const end = () => {
    upstream.destroy();
    connection.destroy();
  };
  connection.on("error", end).on("close", end);
  upstream.on("error", end).on("close", end);
  upstream.write(headOf(request, request.socket.remoteAddress ?? ""));
  upstream.write(head);
  connection.pipe(upstream).pipe(connection);
}

/** The bytes of a request's head. */
function headOf({ method, url, httpVersion, rawHeaders }: IncomingMessage, client?: string): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const [name = "", value = ""] = rawHeaders.slice(index, index + 2);
    if (name.toLowerCase() !== clientHeader) lines.push(`${name}: ${value}`);
  }
  if (client !== undefined) lines.push(`${clientHeader}: ${client}`);
  // Node's parser reads header bytes as Latin-1.
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}
