import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { isRunnerError, type RunnerSettings } from "@pipecat-ts/runner-core";
import { createAccessControl } from "./access.ts";
import { type ConnectionGuard, createConnectionGuard, defaultLimits } from "./connections.ts";
import { type ErrorReply, errorReply, writeRawResponse, writeReply } from "./errors.ts";
import type { RunnerLogger } from "./logging.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import { createSettings } from "./options.ts";
import type { RunnerOptions } from "./runner.ts";
import { type HttpServer, openServer } from "./server.ts";

/** The public server of a process that accepts callers for the runners of other processes: without bots and transports. */
export interface Front {
  readonly settings: RunnerSettings;
  /** Counts what this process rejects. It has no sessions. */
  readonly metrics: Metrics;
  /** The body of this request does not wait in memory. Call it before the body is read. */
  readonly streams: ConnectionGuard["streams"];
  /** Throws REQUEST_INVALID, HOST_REFUSED or ORIGIN_REFUSED. Runners check this themselves. */
  checkRequest(request: IncomingMessage): void;
  /** For requests of callers: also throws KEY_REQUIRED. */
  requireKey(request: IncomingMessage): void;
  /** For requests that concern all callers: also throws KEY_REQUIRED. */
  requireOperator(request: IncomingMessage): void;
  /**
   * Answers requests that arrive elsewhere. An error that a handler rejects with is the response, with the headers that
   * `headersFor` returns.
   */
  answer(handlers: FrontHandlers, headersFor?: HeadersForError): FrontListeners;
  /**
   * Opens the port with the limits of a runner. An error that a handler rejects with is the response. Rejects with PORT_IN_USE or
   * OPTION_INVALID.
   */
  open(handlers: FrontHandlers): Promise<HttpServer>;
}

/** What handles the requests and WebSockets of a listening server. */
export interface FrontHandlers {
  request(request: IncomingMessage, response: ServerResponse): Promise<void>;
  upgrade(request: IncomingMessage, connection: Duplex, head: Buffer): Promise<void>;
}

type HeadersForError = (error: unknown) => Readonly<Record<string, string>>;

/** For the events of an HTTP server. */
export interface FrontListeners {
  request(request: IncomingMessage, response: ServerResponse): void;
  upgrade(request: IncomingMessage, connection: Duplex, head: Buffer): void;
}

/** Creates a front with the settings and the access control of these options. Throws OPTION_INVALID. */
export function createFront(options: Omit<RunnerOptions, "bot" | "logger"> & { readonly logger: RunnerLogger }): Front {
  const { logger } = options;
  const { settings, access: accessOptions } = createSettings(options);
  const noSessions = { get: () => undefined, draining: false, assertAccepting: () => undefined };
  const access = createAccessControl(accessOptions, settings, logger, noSessions);
  const metrics = createMetrics({
    sessions: () => [],
    lag: () => ({ count: 0, sumMs: 0, countUpTo: () => 0 }),
    droppedLogLines: () => logger.droppedLines ?? 0,
  });
  const guard = createConnectionGuard(defaultLimits(settings.maxSessions), logger, metrics);

  /** As in the responses of a runner. Those of another process replace them. */
  function addCorsHeaders(request: IncomingMessage, response: ServerResponse): void {
    const { origin } = request.headers;
    if (access.restrictsOrigins) response.setHeader("Vary", "Origin");
    if (origin === undefined || !access.allowsOrigin(request)) return;
    response.setHeader("Access-Control-Allow-Origin", access.restrictsOrigins ? origin : "*");
    response.setHeader("Access-Control-Expose-Headers", "X-Session-Id");
  }

  /** The response to an error. */
  function replyTo(err: unknown, what: string, headersFor?: HeadersForError): ErrorReply {
    if (!isRunnerError(err)) logger.error({ err }, `${what} failed`);
    const reply = errorReply(err);
    metrics.countRejection(reply.body.code);
    return { ...reply, headers: { ...reply.headers, ...headersFor?.(err) } };
  }

  function answer(handlers: FrontHandlers, headersFor?: HeadersForError): FrontListeners {
    return {
      request(request, response) {
        handlers.request(request, response).catch((err: unknown) => {
          if (response.destroyed) return;
          const reply = replyTo(err, "request", headersFor);
          if (response.headersSent) return void response.destroy();
          writeReply(response, reply);
          response.end();
        });
      },
      upgrade(request, connection, head) {
        connection.on("error", () => connection.destroy());
        handlers.upgrade(request, connection, head).catch((err: unknown) => {
          writeRawResponse(connection, replyTo(err, "WebSocket upgrade", headersFor));
        });
      },
    };
  }

  return {
    settings,
    metrics,
    streams: guard.streams,
    checkRequest: access.checkRequest,
    requireKey(request) {
      access.checkRequest(request);
      access.requireKey(request);
    },
    requireOperator(request) {
      access.checkRequest(request);
      access.requireOperator(request);
    },
    answer,
    open(handlers) {
      const { request, upgrade } = answer({
        ...handlers,
        request(incoming, response) {
          addCorsHeaders(incoming, response);
          return handlers.request(incoming, response);
        },
      });
      return openServer(settings.host, settings.port, {
        guard,
        countRejection: metrics.countRejection,
        handle: request,
        attachSockets: (server) => void server.on("upgrade", upgrade),
      });
    },
  };
}
