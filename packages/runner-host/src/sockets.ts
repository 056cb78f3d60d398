import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import {
  type Access,
  type CallerSocket,
  type CloseReason,
  createRateLimit,
  isRunnerError,
  type Logger,
  type RateLimitOptions,
  RunnerError,
  type SocketHandlers,
  type SocketRequest,
  type SocketRoute,
  type SocketUpgrade,
  withTimeout,
} from "@pipecat-ts/runner-core";
import type { HostSession } from "@pipecat-ts/runner-sessions";
import { type WebSocket, WebSocketServer } from "ws";
import { type AccessControl, type Admission, sessionUnknown } from "./access.ts";
import { createCallerSocket } from "./caller-socket.ts";
import { errorReply, writeRawResponse } from "./errors.ts";
import type { SocketTap, Wire } from "./wire.ts";

/** Largest message by default, in bytes. */
const defaultMaxPayload = 1024 * 1024;
/** The same when the server stops. */
const shutdownCloseMs = 500;
/** How long a connection stays open after the closing handshake for a client that does not close its end, in ms. */
const lingerMs = 1_000;
/** Ping interval in ms. A socket that sends nothing during one, not even the pong, is terminated. */
export const pingMs = 20_000;
/** RFC 6455 section 7.4.1. */
const protocolError = 1002;
/** Pings of a caller, each of which is answered: 100 in 10 s. Clients send one in 10 s or less often. */
const callerPings = { perSecond: 5, burst: 50 };
/** Messages of a caller, audio included. Clients and carriers send 50 per second, and after a pause of the network more at once. */
const callerMessages = { perSecond: 2_000, burst: 20_000 };

/** A socket route and the plugin that has it. */
export interface PluginSocketRoute {
  readonly owner: string;
  readonly route: SocketRoute;
  readonly logger: Logger;
  /** Creates a session with a reserved place for an unannounced caller. Throws AT_CAPACITY or DRAINING. */
  createSession(): HostSession;
}

/** The socket that carries a session, from the start of its bot on, and after each resumption another one. */
interface Carrier {
  /** Before the bot starts: the socket of a caller for which the session was created. */
  socket: CallerSocket | undefined;
  hasStarted: boolean;
}

/** The WebSocket side of a server. */
export interface Sockets {
  /** Answers the upgrade requests of this server. */
  attach(server: Server): void;
  /** Closes every WebSocket with 1001, by force after half a second; upgrades in progress are cut. */
  close(): Promise<void>;
}

export function createSockets(
  routes: readonly PluginSocketRoute[],
  access: Pick<AccessControl, "checkHost" | "credentialsOf" | "requireOrigin" | "hasKey" | "admit" | "activeSession">,
  logger: Logger,
  countRejection: (code: string) => void,
  onUpgrade?: (request: IncomingMessage) => void,
  wire?: Wire,
): Sockets {
  const servers = new Map(routes.map(({ route }) => [route, createServer(route, rejectConnection)]));
  const liveness = createLiveness(logger);
  const connections = new Set<Duplex>();
  const open = new Set<WebSocket>();
  const carriers = new WeakMap<HostSession, Carrier>();

  async function upgrade(request: IncomingMessage, connection: Duplex, head: Buffer): Promise<void> {
    access.checkHost(request);
    const { candidates, credential, url } = findRoutes(routes, request);
    const [first] = candidates;
    if (!first) throw notFound();
    const presented = access.credentialsOf(request, url, credential);
    // Which plugin has the session is known only later.
    const routeAccess = credential === undefined ? first.route.access : strictest(candidates);
    access.requireOrigin(routeAccess, presented);
    const namesNothing = credential === undefined && presented.bearer === undefined;
    const isVerified = namesNothing && (await verify(first.route, { session: undefined, url, request, hasKey: false }));
    const resumed = findResumed({ candidates, credential, url, request, hasKey: access.hasKey(presented) });
    const admission = resumed ?? access.admit(routeAccess, presented, isVerified);
    // A failed handshake makes the token valid again, unless the session runs.
    connection.once("close", admission.release);
    const { session } = admission;
    try {
      const chosen = session ? candidates.find(({ owner }) => owner === session.owner) : first;
      if (!chosen) throw sessionUnknown();
      const hasKey = access.hasKey(presented);
      if (!namesNothing) await verify(chosen.route, { session, url, request, hasKey });
      servers.get(chosen.route)?.handleUpgrade(request, connection, head, (socket) => {
        open.add(socket);
        socket.once("close", () => open.delete(socket));
        liveness.watch(socket, connection as Socket);
        const isShared = session === undefined && candidates.length > 1;
        const route = isShared ? { ...chosen, logger } : chosen;
        const tap = wire?.openSocket(url, chosen.route);
        const upgraded = { session, url, request, hasKey, isResumed: resumed !== undefined };
        serve(route, socket, upgraded, carriers, countRejection, tap);
      });
    } catch (error) {
      admission.release();
      throw error;
    }
  }

  /** The active session of a caller that lost its connection. */
  function findResumed({
    candidates,
    credential,
    ...upgrade
  }: Omit<SocketUpgrade, "session"> & ReturnType<typeof findRoutes>): Admission | undefined {
    const session = credential === undefined ? undefined : access.activeSession(credential);
    const route = session && candidates.find(({ owner }) => owner === session.owner)?.route;
    if (!session || route?.resumes?.({ ...upgrade, session }) !== true) return undefined;
    return { session, release: () => undefined };
  }

  function rejectConnection(connection: Duplex, error: unknown): void {
    const reply = errorReply(error);
    countRejection(reply.body.code);
    writeRawResponse(connection, reply);
  }

  return {
    attach(server) {
      server.on("upgrade", (request, connection, head) => {
        onUpgrade?.(request);
        connections.add(connection);
        connection.on("close", () => connections.delete(connection));
        connection.on("error", () => connection.destroy());
        upgrade(request, connection, head).catch((err: unknown) => {
          if (!isRunnerError(err)) logger.error({ err }, "WebSocket upgrade failed");
          rejectConnection(connection, err);
        });
      });
    },
    async close() {
      const closed = [...open].map((socket) => new Promise((resolve) => socket.once("close", resolve)));
      for (const socket of open) socket.close(1001, "the server is shutting down");
      await withTimeout(Promise.all(closed), shutdownCloseMs);
      for (const connection of connections) connection.destroy();
    },
  };
}

function createServer(route: SocketRoute, reject: (connection: Duplex, error: unknown) => void): WebSocketServer {
  const { maxPayload = defaultMaxPayload } = route;
  // A variable, because @types/ws 8.18 lacks closeTimeout. By default ws waits 30 s.
  const options = { noServer: true, clientTracking: false, maxPayload, closeTimeout: lingerMs };
  const server = new WebSocketServer(options);
  server.on("wsClientError", (error, connection) => {
    reject(connection, new RunnerError("REQUEST_INVALID", `The WebSocket handshake is not valid: ${error.message}.`));
  });
  return server;
}

/** The routes of the requested path, and the credential behind it. */
function findRoutes(routes: readonly PluginSocketRoute[], request: IncomingMessage) {
  // Not `new URL(path, base)`: a path like //host would replace the host.
  const url = URL.parse(`http://localhost${request.url?.startsWith("/") ? request.url : "/"}`);
  if (!url) throw notFound();
  const path = url.pathname.replace(/\/$/, "");
  const bare = routes.filter(({ route }) => route.path === path);
  if (bare.length > 0) return { candidates: bare, credential: undefined, url };
  const slash = path.lastIndexOf("/");
  const candidates = routes.filter(({ route }) => route.path === path.slice(0, slash));
  return { candidates, credential: decodeLeniently(path.slice(slash + 1)), url };
}

/** The access that satisfies every route of a path. */
function strictest(routes: readonly PluginSocketRoute[]): Access {
  const present = routes.map(({ route }) => route.access);
  return (["caller", "carrier"] as const).find((access) => present.includes(access)) ?? "open";
}

/** Leaves a segment that cannot be decoded unchanged, as the router does. */
function decodeLeniently(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function notFound(): RunnerError {
  return new RunnerError("NOT_FOUND", "No WebSocket is served at this path.", {
    fix: "Open the URL from the reply of POST /start.",
  });
}

/** Whether the vendor sent the request. Throws the route's refusal. */
async function verify(route: SocketRoute, upgrade: SocketUpgrade): Promise<boolean> {
  const result = (await route.verify?.(upgrade)) ?? false;
  if (typeof result === "boolean") return result;
  throw new RunnerError(result.code, result.detail, { status: result.status });
}

/** Connects an open socket with its route's handlers, and with the session that runs on it. */
function serve(
  { route, logger, createSession }: PluginSocketRoute,
  socket: WebSocket,
  {
    session: announced,
    url,
    request: upgradeRequest,
    hasKey,
    isResumed,
  }: SocketUpgrade & { readonly session: HostSession | undefined; readonly isResumed: boolean },
  carriers: WeakMap<HostSession, Carrier>,
  countRejection: (code: string) => void,
  tap: SocketTap | undefined,
): void {
  let session = announced;
  let handlers: SocketHandlers | undefined;
  let rejected = false;
  /** Why the session ends when its socket closes, unless the caller closed it. */
  let leftReason: CloseReason | undefined;
  /** The close code with which the runner rejected the caller. */
  let sentCode: number | undefined;

  const callerSocket = createCallerSocket(socket, route.maxPayload ?? defaultMaxPayload, reject, tap);
  const request: SocketRequest = {
    url,
    request: upgradeRequest,
    hasKey,
    isAnnounced: announced !== undefined,
    get session() {
      session ??= closeWith(createSession(), callerSocket);
      return session;
    },
  };

  /** Whether the session runs on this socket: two sockets may be opened with one session's id, and a caller may resume on another. */
  function ownsSession(): boolean {
    const carrier = session && carriers.get(session);
    return carrier?.hasStarted === true && carrier.socket === callerSocket;
  }

  function reject(err: unknown): void {
    if (rejected) return;
    rejected = true;
    const { status, body } = errorReply(err);
    countRejection(body.code);
    if (status === 500) logger.error({ err, route: route.path }, "WebSocket rejected");
    else logger.warn({ code: body.code, reason: body.detail, route: route.path }, "WebSocket rejected");
    const code = body.code === "AT_CAPACITY" || status === 503 ? 1013 : status < 500 ? 1008 : 1011;
    // RFC 6455 section 5.5: a close reason has at most 123 bytes.
    tap?.closing();
    sentCode ??= code;
    socket.close(code, body.code.slice(0, 123));
    if (body.code === "RATE_EXCEEDED") {
      leftReason ??= "rate-exceeded";
      // The rest of a flood is not read. The connection is closed 1 s later.
      socket.pause();
    }
    if (!ownsSession() && session && session !== announced) void session.end("transport-failed");
  }

  /** Runs a handler in the session's scope. An exception or rejection ends the session of this socket, or rejects the caller. */
  function call<Result>(handler: () => Result): Result | undefined {
    const wasPending = session?.state !== "active";
    const noticeStart = () => {
      const carrier = session && carriers.get(session);
      if (!carrier || carrier.hasStarted || session?.state !== "active") return;
      if (wasPending || session !== announced) Object.assign(carrier, { socket: callerSocket, hasStarted: true });
    };
    const fail = (error: unknown) => {
      noticeStart();
      if (session && ownsSession()) session.fail(error, "transport-failed");
      else reject(error);
    };
    noticeStart();
    try {
      const traced = tap ? () => tap.within(handler) : handler;
      const result = session && ownsSession() ? session.inScope(traced) : traced();
      // TypeScript accepts async handlers.
      if (result instanceof Promise) result.then(noticeStart, fail);
      return result;
    } catch (error) {
      fail(error);
      return undefined;
    } finally {
      noticeStart();
    }
  }

  /** Closes the session's socket with it: last, because cleanup runs in reverse order of registration. */
  function closeWith(owner: HostSession, created?: CallerSocket): HostSession {
    if (carriers.has(owner)) return owner;
    const carrier: Carrier = { socket: created, hasStarted: false };
    carriers.set(owner, carrier);
    owner.onEnd((reason, deadline) => {
      const closed = carrier.socket?.close(reason, deadline);
      // A bot that never ran does not wait for its caller.
      return carrier.hasStarted ? closed : undefined;
    });
    return owner;
  }

  const messages = createRateLimit(callerMessages);
  const pings = createRateLimit(callerPings);
  socket.on("message", (data, isBinary) => {
    // A caller that ignores the close frame may send for another second.
    if (!handlers || !callerSocket.isOpen) return;
    tap?.received(data as Buffer, isBinary);
    if (messages.take()) call(() => handlers?.message(data as Buffer, isBinary));
    else reject(rateExceeded("messages", callerMessages));
  });
  socket.on("ping", () => {
    if (callerSocket.isOpen && !pings.take()) reject(rateExceeded("pings", callerPings));
  });
  // ws closes the socket by itself; `close` follows.
  socket.on("error", (err) => {
    leftReason ??= "transport-failed";
    sentCode ??= protocolError;
    logger.warn({ reason: err.message, route: route.path }, "WebSocket failed");
  });
  socket.once("close", (code, reason) => {
    tap?.closed(code, reason.toString());
    const isHeld = call(() => handlers?.closed?.(sentCode ?? code, leftReason)) === "hold" && sentCode === undefined;
    if (!session || (isHeld && ownsSession())) return;
    if (ownsSession()) session.callerLeft(leftReason);
    else if (session !== announced && session.state === "pending") void session.end("caller-left");
  });
  if (announced) tap?.bind(announced);
  if (announced?.state === "pending") closeWith(announced);
  handlers = call(() => route.accept(callerSocket, request));
  // A resumption that `accept` rejected does not affect the call.
  const carrier = announced && carriers.get(announced);
  if (carrier && handlers && isResumed && announced.state === "active") carrier.socket = callerSocket;
}

function rateExceeded(what: string, { perSecond }: RateLimitOptions): RunnerError {
  return new RunnerError("RATE_EXCEEDED", `The caller sent more than ${perSecond} ${what} per second.`, {
    fix: "Send one ping per 20 s, and audio in frames of 10 to 40 ms.",
  });
}

/** Finds callers whose network is gone. One timer for all sockets, none without sockets. */
function createLiveness(logger: Logger) {
  /** The bytes that each connection had read at the last ping. */
  const watched = new Map<WebSocket, { readonly connection: Socket; bytesRead: number }>();
  let timer: NodeJS.Timeout | undefined;

  function pingAll(): void {
    for (const [socket, seen] of watched) {
      const { bytesRead } = seen.connection;
      // A paused socket is intentionally not read.
      if (bytesRead === seen.bytesRead && !socket.isPaused) {
        logger.info({ afterMs: pingMs }, "silent WebSocket terminated");
        socket.terminate();
        continue;
      }
      seen.bytesRead = bytesRead;
      if (socket.readyState === socket.OPEN) socket.ping();
    }
  }

  return {
    /** Pings the socket until it closes, and terminates it when nothing comes back. */
    watch(socket: WebSocket, connection: Socket): void {
      // -1: it has a whole period from its first ping.
      watched.set(socket, { connection, bytesRead: -1 });
      timer ??= setInterval(pingAll, pingMs);
      socket.on("close", () => {
        watched.delete(socket);
        if (watched.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      });
    },
  };
}
