import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { isRunnerError, type Logger, RunnerError, type SocketRequest, type SocketRoute } from "@pipecat-ts/runner-core";
import { type MatchFunction, match } from "path-to-regexp";
import { type WebSocket, WebSocketServer } from "ws";
import type { AccessControl } from "./access-control.ts";
import { settledWithin } from "./deadline.ts";
import { errorReply } from "./errors.ts";
import { replyRaw } from "./raw-reply.ts";
import type { SessionRegistry } from "./sessions.ts";
import { createSocketLiveness } from "./socket-liveness.ts";

/** How long WebSockets have to answer the closing handshake when the runner stops. */
const closeMs = 500;

/** How long a connection stays open after its WebSocket's closing handshake, for a client that does not close its end. */
const hangUpMs = 2_000;

/** The WebSocket side of a server. */
export interface Upgrades {
  /** Answers the upgrade requests of this server. */
  attach(server: Server): void;
  /** Closes every WebSocket with 1001, by force after half a second; upgrades under way are cut. */
  close(): Promise<void>;
}

interface Endpoint {
  readonly route: SocketRoute;
  readonly match: MatchFunction<Record<string, string>>;
  readonly server: WebSocketServer;
}

export function createUpgrades(
  routes: readonly SocketRoute[],
  access: Pick<AccessControl, "refuseForeignHost" | "admitSocket">,
  sessions: Pick<SessionRegistry, "refuseCallerOf">,
  logger: Logger,
  refused: (code: string) => void,
): Upgrades {
  const endpoints = routes.map((route) => createEndpoint(route, refuse));
  const liveness = createSocketLiveness(logger);
  const connections = new Set<Duplex>();
  const sockets = new Set<WebSocket>();

  async function upgrade(request: IncomingMessage, connection: Duplex, head: Buffer): Promise<void> {
    access.refuseForeignHost(request);
    const { endpoint, params, url } = findEndpoint(endpoints, request);
    const admitted = access.admitSocket(endpoint.route, { params, url, request });
    const { sessionId } = admitted.params;
    const socketRequest: SocketRequest = { params: admitted.params, url, request };
    // Whatever becomes of the handshake, and of a caller who goes before the session runs.
    connection.once("close", admitted.giveBack);
    try {
      if (sessionId !== undefined) sessions.refuseCallerOf(sessionId);
      const refusal = await endpoint.route.authorize?.(socketRequest);
      if (refusal) throw new RunnerError(refusal.code, refusal.detail, { status: refusal.status });
    } catch (error) {
      admitted.giveBack();
      throw error;
    }
    endpoint.server.handleUpgrade(request, connection, head, (socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      // Without a listener a socket that breaks would throw; ws closes it by itself.
      socket.on("error", (error) => logger.debug({ reason: error.message }, "a WebSocket broke"));
      liveness.watch(socket, connection as Socket);
      accept(endpoint.route, socket, socketRequest);
    });
  }

  function accept(route: SocketRoute, socket: WebSocket, request: SocketRequest): void {
    try {
      route.accept(socket, request);
    } catch (err) {
      const reply = errorReply(err);
      refused(reply.body.code);
      if (reply.status === 500) logger.error({ err, route: route.path }, "a WebSocket could not be accepted");
      // RFC 6455 section 7.4: 1013 try again later, 1008 refused, 1011 the server failed. A reason has 123 bytes at most.
      const code = reply.status === 429 || reply.status === 503 ? 1013 : reply.status < 500 ? 1008 : 1011;
      socket.close(code, reply.body.code.slice(0, 123));
    }
  }

  function refuse(connection: Duplex, error: unknown): void {
    const reply = errorReply(error);
    refused(reply.body.code);
    replyRaw(connection, reply);
  }

  return {
    attach(server) {
      server.on("upgrade", (request, connection, head) => {
        connections.add(connection);
        connection.on("close", () => connections.delete(connection));
        connection.on("error", () => connection.destroy());
        upgrade(request, connection, head).catch((err: unknown) => {
          if (!isRunnerError(err)) logger.error({ err }, "a WebSocket upgrade failed");
          refuse(connection, err);
        });
      });
    },
    async close() {
      const closed = [...sockets].map((socket) => new Promise((resolve) => socket.once("close", resolve)));
      for (const socket of sockets) socket.close(1001, "the server is shutting down");
      await settledWithin(closeMs, Promise.all(closed));
      for (const connection of connections) connection.destroy();
    },
  };
}

function createEndpoint(route: SocketRoute, refuse: (connection: Duplex, error: unknown) => void): Endpoint {
  const { path, maxPayload } = route;
  // A variable, for @types/ws 8.18 does not know closeTimeout. Of itself ws waits 30 s, and tells nobody until then.
  const options = { noServer: true, clientTracking: false, maxPayload, closeTimeout: hangUpMs };
  const server = new WebSocketServer(options);
  server.on("wsClientError", (error, connection) => {
    refuse(connection, new RunnerError("REQUEST_INVALID", `This is no WebSocket handshake: ${error.message}.`));
  });
  return { route, server, match: match(path, { decode: decodeLoosely }) };
}

function findEndpoint(
  endpoints: readonly Endpoint[],
  request: IncomingMessage,
): { endpoint: Endpoint; params: Readonly<Record<string, string>>; url: URL } {
  // Not `new URL(path, base)`: a path like //host is one, too.
  const url = URL.parse(`http://localhost${request.url?.startsWith("/") ? request.url : "/"}`);
  for (const endpoint of url ? endpoints : []) {
    const found = url && endpoint.match(url.pathname);
    if (found) return { endpoint, params: found.params, url };
  }
  throw new RunnerError("NOT_FOUND", "No WebSocket is served at this path.", {
    fix: "Open the URL that POST /start answers.",
  });
}

/** A path that is not decodable is taken as it is, like the router does. */
function decodeLoosely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
