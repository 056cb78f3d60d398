import type { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { clientHeader, rejectedHeader } from "./headers.ts";
import type { Upgrade, WorkerProcess } from "./worker-process.ts";

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

/** Gives a caller's connection to a worker. `onClosed` is called once, when the connection is closed. */
export function passUpgrade(worker: WorkerProcess, upgrade: Upgrade, onClosed?: () => void): void {
  const { request, connection, head } = upgrade;
  if (worker.upgrade) {
    if (onClosed) connection.once("close", onClosed);
    worker.upgrade(upgrade);
  } else if (stopReading(connection)) {
    const received: Buffer | null = connection.read();
    stopReading(connection); // `read` may have resumed it.
    const bytes = Buffer.concat([headOf(request), head, ...(received ? [received] : [])]);
    // Otherwise Node's server would count the connection until the worker has closed it.
    (connection as SocketInternals).server = null;
    worker.handOver(connection, bytes, onClosed);
  } else {
    if (onClosed) connection.once("close", onClosed);
    pipeUpgrade(worker.connect(), upgrade);
  }
}

/** Sends a caller's connection through this process. */
export function pipeUpgrade(upstream: Duplex, { request, connection, head }: Upgrade): void {
  if (connection.destroyed) return void upstream.destroy();
  sendHead(upstream, request, head);
  join(upstream, connection);
}

/**
 * Sends a caller's connection to another node, through this process. Resolves to false if the node rejects the caller because it is
 * full: the connection can then go elsewhere. Rejects if the node's connection ends before it answers.
 */
export async function offerUpgrade(upstream: Duplex, { request, connection, head }: Upgrade): Promise<boolean> {
  if (connection.destroyed) {
    upstream.destroy();
    return false;
  }
  connection.once("close", () => upstream.destroy());
  sendHead(upstream, request, head);
  const answer = await firstBytes(upstream);
  // The other node writes the head of its answer at once.
  if (new RegExp(`\r\n${rejectedHeader}:`, "i").test(answer.toString("latin1"))) {
    upstream.destroy();
    return false;
  }
  connection.write(answer);
  join(upstream, connection);
  return true;
}

function firstBytes(stream: Duplex): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    function settle(result: Buffer | Error): void {
      stream.off("error", settle).off("close", ended);
      if (result instanceof Error) reject(result);
      else resolve(result);
    }
    const ended = () => settle(new Error("The connection ended without an answer."));
    stream.on("error", settle).on("close", ended).on("end", ended);
    stream.once("data", (bytes: Buffer) => {
      stream.pause();
      stream.off("end", ended);
      settle(bytes);
    });
  });
}

/** Sends everything from one connection to the other, until one of them is closed. */
function join(upstream: Duplex, connection: Duplex): void {
  const end = () => {
    upstream.destroy();
    connection.destroy();
  };
  for (const each of [upstream, connection]) each.on("error", end).on("close", end);
  if (connection.destroyed) end();
  else connection.pipe(upstream).pipe(connection);
}

function sendHead(upstream: Duplex, request: IncomingMessage, head: Buffer): void {
  upstream.write(headOf(request, request.socket.remoteAddress ?? ""));
  upstream.write(head);
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
