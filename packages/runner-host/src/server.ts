import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { RunnerError, withTimeout } from "@pipecat-ts/runner-core";
import type { ConnectionGuard } from "./connections.ts";
import { answerParserErrors, errorReply, writeReply } from "./errors.ts";
import { boundUrl } from "./public-url.ts";
import { createServer } from "./without-fetch.ts";

/** How long requests in progress may take when the server stops, in ms. */
const closeMs = 500;
/** How many requests of one connection may wait for the response to an earlier one. Browsers and proxies send none. */
const maxWaiting = 16;
/** How long a client may continue to send a body after the response, in ms. */
const lingerMs = 1_000;

/** The open port of a runner. */
export interface HttpServer {
  readonly url: URL;
  /** Stops listening. Requests in progress have half a second. */
  close(): Promise<void>;
}

/** How a server answers. */
export interface ServerOptions {
  readonly handle: RequestListener;
  readonly guard: ConnectionGuard;
  countRejection(code: string): void;
  /** Answers the upgrade requests of a server. */
  attachSockets(server: Server): void;
}

/**
 * Opens the port. `localhost` opens both loopback addresses, because browsers and tools differ in which one they try; a machine
 * may lack one of them. Rejects with PORT_IN_USE or OPTION_INVALID, and nothing stays open.
 */
export async function openServer(host: string, port: number, options: ServerOptions): Promise<HttpServer> {
  const addresses = host === "localhost" ? ["127.0.0.1", "::1"] : [host.replace(/^\[|\]$/g, "")];
  const servers = await openAll(addresses, port, () => createCallerServer(options));
  return { url: boundUrl(host, portOf(servers[0])), close: () => closeAll(servers) };
}

/** Creates a server for callers that does not listen yet. */
export function createCallerServer({ handle, guard, countRejection, attachSockets }: ServerOptions): Server {
  // Upgrades to other protocols, such as h2c, are optional for their clients and are ignored.
  const server = createServer({
    shouldUpgradeCallback: ({ headers }) => /^websocket$/i.test(headers.upgrade ?? ""),
    connectionsCheckingInterval: 5_000,
  });
  // Longer than the 60 s of common load balancers, which otherwise send requests into connections that just closed.
  server.keepAliveTimeout = 75_000;
  server.requestTimeout = 60_000;
  server.headersTimeout = 20_000;
  guard.attach(server);
  const queue = createRequestQueue(handle, countRejection);
  server.on("request", queue.add);
  server.prependListener("upgrade", (_, connection) => queue.rejectUpgrade(connection as Socket));
  answerParserErrors(server, queue.latest, countRejection);
  attachSockets(server);
  return server;
}

/**
 * Handles the requests of one connection one after the other, and stops reading from the connection while one waits. Otherwise
 * Node would handle all requests of a packet at once, and a client can send thousands before it reads a response. The 17th that
 * waits gets 429, and the connection is closed.
 */
function createRequestQueue(handle: RequestListener, countRejection: (code: string) => void) {
  interface Queue {
    latest: ServerResponse;
    waiting: number;
    /** Nothing more is read from the connection. */
    isFull: boolean;
  }
  const queues = new WeakMap<Socket, Queue>();

  function next(queue: Queue, request: IncomingMessage, response: ServerResponse): void {
    queue.waiting -= 1;
    if (request.socket.destroyed) return;
    if (queue.latest === response && !queue.isFull) request.socket.resume();
    closeUnlessRead(request, response);
    handle(request, response);
  }

  function reject(response: ServerResponse): void {
    const error = new RunnerError("REQUEST_INVALID", `More than ${maxWaiting} requests wait for a response.`, {
      status: 429,
      fix: "Read the responses before you send more requests on this connection.",
    });
    countRejection(error.code);
    response.shouldKeepAlive = false;
    writeReply(response, errorReply(error));
    response.end();
  }

  return {
    add(request: IncomingMessage, response: ServerResponse): void {
      const { socket } = request;
      const queue = queues.get(socket);
      if (!queue || queue.latest.closed) {
        queues.set(socket, { latest: response, waiting: 0, isFull: false });
        closeUnlessRead(request, response);
        handle(request, response);
        return;
      }
      const previous = queue.latest;
      // The previous request has arrived completely. Node resumes the socket after each request of a packet.
      process.nextTick(() => previous.closed || socket.pause());
      if (queue.isFull) return;
      if (queue.waiting === maxWaiting) {
        queue.isFull = true;
        reject(response);
        return;
      }
      queue.waiting += 1;
      queue.latest = response;
      // The event loop serves others in between.
      previous.once("close", () => setImmediate(next, queue, request, response));
    },
    /** The response to the latest request of a connection. */
    latest: (socket: Socket) => queues.get(socket)?.latest,
    /** After an upgrade, the responses to earlier requests would be read as data of the new protocol. */
    rejectUpgrade(socket: Socket): void {
      const latest = queues.get(socket)?.latest;
      if (latest && !latest.closed) socket.destroy();
    },
  };
}

/** Closes the connection when the client still sends the body 1 s after the response: Node would read it for a minute. */
function closeUnlessRead(request: IncomingMessage, response: ServerResponse): void {
  response.once("finish", () => {
    if (request.complete) return;
    const timer = setTimeout(() => request.socket.destroy(), lingerMs);
    request.once("end", () => clearTimeout(timer));
    request.socket.once("close", () => clearTimeout(timer));
  });
}

async function openAll(addresses: readonly string[], port: number, create: () => Server): Promise<Server[]> {
  // A port that is free on one loopback address may be taken on the other: the next free one is tried.
  for (let attempt = 1; ; attempt++) {
    const servers: Server[] = [];
    try {
      for (const address of addresses) {
        const server = await open(create(), address, portOf(servers[0]) || port, addresses.length > 1);
        if (server) servers.push(server);
      }
      if (servers.length > 0) return servers;
      throw new RunnerError("OPTION_INVALID", "--host is localhost, but this machine has no loopback address.");
    } catch (error) {
      const again = port === 0 && servers.length > 0 && attempt < 5;
      await closeAll(servers);
      if (!again) throw error;
    }
  }
}

/** Resolves to undefined when the machine lacks an optional address. */
function open(server: Server, address: string, port: number, optional: boolean): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (optional && (error.code === "EADDRNOTAVAIL" || error.code === "EAFNOSUPPORT")) resolve(undefined);
      else reject(listenError(error, address, port));
    });
    server.listen(port, address, () => {
      server.removeAllListeners("error");
      resolve(server);
    });
  });
}

function listenError(error: NodeJS.ErrnoException, address: string, port: number): Error {
  const { code, message } = error;
  if (code === "EADDRINUSE") {
    return new RunnerError("PORT_IN_USE", `Port ${port} is in use on ${address}.`, {
      fix: "Stop the program that uses it, or choose another port with --port; --port 0 chooses a free one.",
      cause: error,
    });
  }
  if (code === "EACCES") {
    return new RunnerError("OPTION_INVALID", `--port: this process may not use port ${port}.`, {
      fix: "Use a port above 1023.",
      cause: error,
    });
  }
  if (code !== "EADDRNOTAVAIL" && code !== "ENOTFOUND" && code !== "EAI_AGAIN" && code !== "EAFNOSUPPORT") return error;
  return new RunnerError("OPTION_INVALID", `--host: "${address}" is not an address of this machine (${message}).`, {
    fix: "Use localhost, 0.0.0.0 for all networks, or an address of this machine.",
    cause: error,
  });
}

function portOf(server: Server | undefined): number {
  return (server?.address() as AddressInfo | null | undefined)?.port ?? 0;
}

export async function closeAll(servers: readonly Server[]): Promise<void> {
  await Promise.all(
    servers.map(async (server) => {
      await acceptWaiting(server);
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      if (await withTimeout(closed, closeMs)) return;
      server.closeAllConnections();
      await withTimeout(closed, closeMs);
    }),
  );
}

/** Accepts the connections that the system has accepted already, and would reset when the server closes: Node takes one in each turn. */
async function acceptWaiting(server: Server): Promise<void> {
  let accepts = true;
  const accepted = () => {
    accepts = true;
  };
  server.on("connection", accepted);
  for (const untilMs = performance.now() + closeMs; accepts && performance.now() < untilMs; ) {
    accepts = false;
    for (let turn = 0; turn < 2; turn++) await nextTurn();
  }
  server.off("connection", accepted);
}
