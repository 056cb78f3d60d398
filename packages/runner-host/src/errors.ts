import type { Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type Duplex, Stream } from "node:stream";
import { isRunnerError, type Logger, RunnerError } from "@pipecat-ts/runner-core";
import type { Context, Middleware, Next } from "koa";
import { statusTexts } from "./without-fetch.ts";

/** An error as an HTTP response. */
export interface ErrorReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: { readonly detail: string; readonly code: string };
}

/** Converts an error: a `RunnerError` unchanged, errors of Koa's `ctx.throw` with their status, and others without details. */
export function errorReply(error: unknown): ErrorReply {
  const known = isRunnerError(error) ? error : fromKoa(error);
  if (!known) {
    return { status: 500, headers: {}, body: { detail: "The server failed; see its log.", code: "INTERNAL" } };
  }
  const { status, code, message, fix } = known;
  const headers: Record<string, string> = {
    ...((status === 429 || status === 503) && code !== "UPLOADS_DISABLED" && { "Retry-After": "5" }),
    ...(status === 401 && { "WWW-Authenticate": "Bearer" }),
  };
  return { status, headers, body: { detail: fix === undefined ? message : `${message} ${fix}`, code } };
}

/** Answers every error below it, and every unanswered request, as JSON `{detail, code}`; counts each with `countRejection`. */
export function answerErrors(logger: Logger, countRejection: (code: string) => void): Middleware {
  return async (ctx: Context, next: Next) => {
    try {
      await next();
      rejectUnanswered(ctx);
      serializeBody(ctx);
    } catch (err) {
      const reply = errorReply(err);
      // Otherwise the client is gone, or has another response.
      if (ctx.req.socket.writable) countRejection(reply.body.code);
      // Without the path: it may contain a session's token.
      const fields = { method: ctx.method, route: ctx._matchedRoute, code: reply.body.code, status: reply.status };
      if (reply.status === 500) logger.error({ ...fields, err }, "request failed");
      else logger.debug(fields, "request rejected");
      if (ctx.headerSent) {
        ctx.res.destroy();
        return;
      }
      ctx.set(reply.headers);
      if (!ctx.req.complete) return answerBeforeBody(ctx, reply);
      ctx.respond = true;
      ctx.status = reply.status;
      ctx.body = reply.body;
    }
  };
}

function rejectUnanswered(ctx: Context): void {
  if (ctx.respond === false || ctx.headerSent || (ctx.body !== undefined && ctx.body !== null)) return;
  const request = `${ctx.method} ${ctx.path.slice(0, 200)}`;
  if (ctx.status === 404) throw new RunnerError("NOT_FOUND", `${request} does not exist.`);
  if (ctx.status !== 405 && ctx.status !== 501) return;
  throw new RunnerError("METHOD_NOT_ALLOWED", `${request} is not allowed.`, {
    fix: `Use ${ctx.response.get("Allow") || "another method"}.`,
  });
}

/** Koa would serialize the body later, and answer a failure, such as a circular object, as plain text. */
function serializeBody(ctx: Context): void {
  if (ctx.respond === false || ctx.headerSent || ctx.response.is("json") !== "json") return;
  const { body } = ctx;
  const isSentAsIs = [Buffer, Stream, ReadableStream, Blob, Response].some((type) => body instanceof type);
  if (body === null || typeof body !== "object" || isSentAsIs) return;
  ctx.body = JSON.stringify(body);
}

function fromKoa(error: unknown): { status: number; code: string; message: string; fix?: undefined } | undefined {
  if (!(error instanceof Error)) return undefined;
  const { status, expose, message } = error as Error & { readonly status?: unknown; readonly expose?: unknown };
  if (expose !== true || typeof status !== "number" || status < 400 || status > 499) return undefined;
  const codes: Readonly<Record<number, string>> = {
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "BODY_TOO_LARGE",
    429: "AT_CAPACITY",
  };
  return { status, message, code: codes[status] ?? "REQUEST_INVALID" };
}

/** How long a client may continue to send a body that was rejected, in ms. */
const lingerMs = 1_000;

/**
 * Answers at once, and discards the rest of the body for up to 1 s before it ends the response. A connection that is closed with
 * unread bytes is reset, and the client never reads the response.
 */
function answerBeforeBody(ctx: Context, reply: ErrorReply): void {
  const { req, res } = ctx;
  ctx.respond = false; // Koa would end the response.
  writeReply(res, reply);
  const timer = setTimeout(() => {
    res.end();
    req.socket.destroySoon();
  }, lingerMs);
  res.once("close", () => clearTimeout(timer));
  req.once("end", () => res.end()).resume();
}

/** Writes an error as the response, and does not end it. */
export function writeReply(response: ServerResponse, { status, headers, body }: ErrorReply): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    ...headers,
    "Content-Type": "application/json; charset=utf-8",
    "Content-Length": Buffer.byteLength(text),
  });
  if (response.req.method !== "HEAD") response.write(text);
}

/**
 * Writes an error to a connection without a response object (a rejected upgrade, an unparsable request), and closes it. With
 * `closes` false, the client has to close its end.
 */
export function writeRawResponse(connection: Duplex, { status, headers, body }: ErrorReply, closes = true): void {
  if (!connection.writable) {
    connection.destroy();
    return;
  }
  const text = JSON.stringify(body);
  const head = Object.entries({
    ...headers,
    Connection: "close",
    "Content-Type": "application/json; charset=utf-8",
    "Content-Length": String(Buffer.byteLength(text)),
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  if (closes) connection.once("finish", () => connection.destroy());
  connection.end(`HTTP/1.1 ${status} ${statusTexts[status] ?? "Error"}\r\n${head.join("")}\r\n${text}`);
}

/**
 * Answers requests that Node's HTTP parser rejects, or that do not arrive in time, with JSON too. `latest` returns the response to
 * the latest request of a connection: when it has begun, the connection is only closed.
 */
export function answerParserErrors(
  server: Server,
  latest: (socket: Socket) => ServerResponse | undefined,
  countRejection: (code: string) => void,
): void {
  const statusByCode: Readonly<Record<string, number>> = {
    HPE_HEADER_OVERFLOW: 431,
    HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
    ERR_HTTP_REQUEST_TIMEOUT: 408,
  };
  server.on("clientError", (error: NodeJS.ErrnoException, connection) => {
    const response = latest(connection as Socket);
    if (error.code === "ECONNRESET" || (response?.headersSent && !response.closed)) {
      connection.destroy();
      return;
    }
    const status = statusByCode[error.code ?? ""] ?? 400;
    const [message, fix] =
      status === 408
        ? ["The request did not arrive completely in time.", "Send the headers within 20 s and the body within 60 s."]
        : [`The request is not valid HTTP: ${statusTexts[status]}.`, undefined];
    const rejection = new RunnerError("REQUEST_INVALID", message, { status, ...(fix && { fix }) });
    countRejection(rejection.code);
    writeRawResponse(connection, errorReply(rejection));
  });
}
