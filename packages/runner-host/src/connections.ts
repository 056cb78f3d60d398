import { readFileSync } from "node:fs";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { clientOf, type Logger, RunnerError } from "@pipecat-ts/runner-core";
import { errorReply, writeRawResponse } from "./errors.ts";

/** What clients may hold at the same time. A client is an IPv4 address or an IPv6 network of 64 bits. */
export interface ConnectionLimits {
  /** Open connections of all clients. */
  readonly connections: number;
  /** Open connections of one client. A proxy or tunnel is one client. */
  readonly connectionsPerClient: number;
  /** The highest file descriptor of a connection. Those above it are for live calls. */
  readonly descriptor: number;
  /** Bytes of all bodies that are being received or handled, in bytes. */
  readonly bodies: number;
  /** The same of one client, in bytes. */
  readonly bodiesPerClient: number;
}

/** The limits of a runner with this number of sessions at most. */
export function defaultLimits(maxSessions: number): ConnectionLimits {
  const hasLimit = Number.isFinite(maxSessions);
  return {
    connections: hasLimit ? Math.max(10_000, 8 * maxSessions) : Number.POSITIVE_INFINITY,
    connectionsPerClient: hasLimit ? Math.max(1_000, 4 * maxSessions) : Number.POSITIVE_INFINITY,
    descriptor: highestDescriptor(),
    bodies: 64 * 1024 * 1024,
    bodiesPerClient: 16 * 1024 * 1024,
  };
}

/** Bodies up to this size are accepted also when the others take too much memory, in bytes. */
const smallBody = 16 * 1024;
/** Each piece of a body costs as much as a hundred bytes. A body in more pieces than this must have larger ones. */
const maxSmallPieces = 1_000;
/** The least average size of the pieces of a larger body, in bytes. Every TCP segment of the internet holds more. */
const leastPiece = 32;
/** How long a client may take to read a response that is written completely, in ms. */
const stallMs = 30_000;
/** How long a connection with a rejected body stays open, so that the client can read the response, in ms. */
const lingerMs = 1_000;

export type RefusalReason = "all clients" | "one client" | "file descriptors";

/** Applies the limits to the servers of one runner. */
export interface ConnectionGuard {
  /** Call it before other listeners are added to the server. */
  attach(server: Server): void;
  /**
   * The body of this request does not wait in memory: it is stored, or discarded, as fast as it arrives. Call it before the body
   * is read.
   */
  streams(request: IncomingMessage): void;
}

export function createConnectionGuard(
  limits: ConnectionLimits,
  logger: Logger,
  counts: { connectionRefused(reason: RefusalReason): void; countRejection(code: string): void },
): ConnectionGuard {
  const connections = new Map<string, number>();
  const bodies = new Map<string, number>();
  /** For each request in progress, frees bytes that have left its stream. */
  const release = new WeakMap<IncomingMessage, (amount: number) => void>();
  const logged = new Set<RefusalReason>();
  let openConnections = 0;
  let bodyBytes = 0;

  function accept(socket: Socket): void {
    const client = clientOf(socket);
    const reason = refusal(socket, client);
    if (reason) {
      counts.connectionRefused(reason);
      if (!logged.has(reason)) logger.warn({ reason, fix: fixes[reason] }, "connections refused: too many are open");
      logged.add(reason);
      socket.destroy();
      return;
    }
    openConnections += 1;
    add(connections, client, 1);
    socket.once("close", () => {
      openConnections -= 1;
      add(connections, client, -1);
    });
  }

  function refusal(socket: Socket, client: string): RefusalReason | undefined {
    if (descriptorOf(socket) > limits.descriptor) return "file descriptors";
    if (openConnections >= limits.connections) return "all clients";
    return (connections.get(client) ?? 0) >= limits.connectionsPerClient ? "one client" : undefined;
  }

  /** Counts the pieces and bytes of a body while Node's parser delivers them, before anything keeps them. */
  function boundBody(request: IncomingMessage, response: ServerResponse): void {
    const client = clientOf(request.socket);
    let pieces = 0;
    let bytes = 0;
    /** The bytes that count as memory. */
    let held = 0;
    let rejected = false;

    function problem(): RunnerError | undefined {
      if (pieces > maxSmallPieces && bytes < pieces * leastPiece) {
        return new RunnerError("REQUEST_INVALID", "The body arrives in too many small pieces.", {
          fix: "Send it as a whole, with Content-Length.",
        });
      }
      if (bytes <= smallBody) return undefined;
      if (bodyBytes <= limits.bodies && (bodies.get(client) ?? 0) <= limits.bodiesPerClient) return undefined;
      return new RunnerError("AT_CAPACITY", "Too many large bodies are being received.", {
        status: 503,
        fix: "Try again in a moment.",
      });
    }

    function receive(piece: Buffer): boolean {
      if (pieces === 0) response.once("close", () => hold(-held));
      pieces += 1;
      bytes += piece.length;
      // What arrives after the response is discarded.
      if (!response.closed) hold(piece.length);
      const error = problem();
      if (error) reject(error);
      return !rejected;
    }

    function hold(amount: number): void {
      held += amount;
      bodyBytes += amount;
      add(bodies, client, amount);
    }

    function reject(error: RunnerError): void {
      rejected = true;
      hold(-held);
      const { socket } = request;
      const reply = errorReply(error);
      counts.countRejection(reply.body.code);
      // Node resumes the socket after each packet.
      setImmediate(() => socket.pause());
      const timer = setTimeout(() => socket.destroy(), lingerMs);
      socket.once("close", () => clearTimeout(timer));
      // The response to this request, or to an earlier one, has begun: a client that reads it would misread another.
      if (response.headersSent || response.socket === null) socket.destroy();
      else writeRawResponse(socket, reply, false);
    }

    release.set(request, (amount) => hold(-Math.min(amount, held)));

    const push = request.push.bind(request);
    request.push = (piece: Buffer | null, encoding?: BufferEncoding) => {
      if (rejected || (piece !== null && !receive(piece))) return false;
      return push(piece, encoding);
    };
  }

  return {
    attach(server) {
      server.on("connection", accept);
      server.on("request", (request, response) => {
        boundBody(request, response);
        response.once("prefinish", () => request.socket.setTimeout(stallMs));
      });
    },
    streams(request) {
      request.on("data", ({ length }: Buffer) => release.get(request)?.(length));
    },
  };
}

const fixes: Readonly<Record<RefusalReason, string>> = {
  "all clients": "Put a proxy in front that limits clients, or start more runners.",
  "one client": "If it is your own proxy, let it reuse connections.",
  "file descriptors": "Allow this process more open files (ulimit -n, or LimitNOFILE= in its systemd unit).",
};

function add(sums: Map<string, number>, key: string, amount: number): void {
  const sum = (sums.get(key) ?? 0) + amount;
  if (sum === 0) sums.delete(key);
  else sums.set(key, sum);
}

/** -1 where Node does not tell it. The system gives each connection the lowest free one. */
function descriptorOf(socket: Socket): number {
  return (socket as { readonly _handle?: { readonly fd?: number } })._handle?.fd ?? -1;
}

/** A quarter of the file descriptors of this process, at most 256, is for live calls. Only Linux tells how many there are. */
function highestDescriptor(): number {
  try {
    const [, limit] = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return limit === undefined ? Number.POSITIVE_INFINITY : Number(limit) - Math.min(256, Number(limit) / 4);
  } catch {
    return Number.POSITIVE_INFINITY; // Not Linux.
  }
}
