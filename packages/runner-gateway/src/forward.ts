import { type IncomingMessage, type ServerResponse, request as sendRequest } from "node:http";
import { RunnerError } from "@pipecat-ts/runner-core";
import { clientHeader, rejectedHeader } from "./headers.ts";
import type { Place } from "./members.ts";
import type { WorkerPool } from "./pool.ts";
import { namesInHead, valuesOfBody, valuesOfQuery } from "./request-owner.ts";
import type { WorkerProcess } from "./worker-process.ts";

/** Bodies of at most this many bytes are held in memory, to search them and to send them again. Runners read no larger ones by default. */
const maxHeld = 1024 * 1024;
/** How often a request is sent to another worker after one that is full. */
const maxAttempts = 3;
/** Headers of one connection, and those that only gateway and worker use. */
const notForwarded: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
  "expect",
  clientHeader,
  rejectedHeader,
]);

/** The worker of the session that the request's URL or token names. */
export function findOwner(pool: WorkerPool, request: IncomingMessage): WorkerProcess | undefined {
  const { sessions } = pool;
  for (const { text, isId } of namesInHead(request)) {
    const number = sessions.ownerOf(text) ?? (isId ? sessions.findId(text) : undefined);
    const worker = number === undefined ? undefined : pool.get(number);
    if (worker) return worker;
  }
  return undefined;
}

/**
 * The worker of a session or call that the query or the body names. Callers may have chosen an alias, such as a call id, so it counts
 * only while the worker answers.
 */
async function findSuggestion(
  { sessions, get }: WorkerPool,
  request: IncomingMessage,
  body: Buffer,
): Promise<WorkerProcess | undefined> {
  for (const values of [valuesOfQuery(request), valuesOfBody(body, request.headers["content-type"])]) {
    for (const value of values) {
      const [owner, other] = [sessions.ownerOf(value), sessions.findAlias(value)];
      if (owner !== undefined && get(owner)) return get(owner);
      const worker = other === undefined ? undefined : get(other);
      if (worker && (await worker.isResponsive())) return worker;
    }
  }
  return undefined;
}

export interface ForwardOptions {
  readonly pool: WorkerPool;
  /** The body of a request does not wait in memory. */
  streams(request: IncomingMessage): void;
  /** A full worker rejected a request, and it is sent to another one. */
  resent(): void;
}

/**
 * Answers a request with the response of a worker. A session that the URL names decides about the worker. Otherwise, a session or call
 * that query or body name suggests one, or the pool chooses. A request that such a worker rejects because it is full is sent to another
 * one; only the worker decides whether it is.
 *
 * Rejects with AT_CAPACITY, DRAINING, or WORKER_CRASHED when the worker ends before it responds.
 */
export async function forward(
  { pool, streams, resent }: ForwardOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  const { signal } = gone;
  response.once("close", () => gone.abort());
  const owner = findOwner(pool, request);
  if (owner) return pass(await exchange(owner, request, { streams, signal }), response);
  const body = await holdBody(request);
  const suggested = body && (await findSuggestion(pool, request, body));
  let place: Place = suggested ? { worker: suggested, release: () => undefined } : await pool.pick();
  try {
    for (let attempt = 1; ; attempt++) {
      const answer = await exchange(place.worker, request, { body, streams, signal });
      const isFull = answer.headers[rejectedHeader] !== undefined;
      if (!isFull || body === undefined || attempt === maxAttempts) return pass(answer, response);
      place.release();
      try {
        place = await pool.place();
      } catch {
        return pass(answer, response); // No other worker has a place: this rejection is the response.
      }
      answer.destroy();
      resent();
    }
  } finally {
    if (response.closed) place.release();
    else response.once("close", place.release);
  }
}

/** The body; `undefined` for one that is too large to be held, or an upload. Its bytes then wait in the request. */
async function holdBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const { "content-length": length, "content-type": type = "" } = request.headers;
  if (Number(length) > maxHeld || /^multipart\//i.test(type)) return undefined;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    chunks.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    if (bytes > maxHeld) {
      request.unshift(Buffer.concat(chunks));
      return undefined;
    }
  }
  return Buffer.concat(chunks);
}

/** Sends the request to a worker, and returns its response. Without `body`, the body is sent as it arrives. */
function exchange(
  worker: WorkerProcess,
  request: IncomingMessage,
  {
    body,
    streams,
    signal,
  }: Pick<ForwardOptions, "streams"> & {
    readonly body?: Buffer | undefined;
    /** The caller is gone. */
    readonly signal: AbortSignal;
  },
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { method, url } = request;
    const headers = headersFor(request, body);
    // A connection for each request: one that is kept open may close just when a request is sent.
    const sent = sendRequest({ socketPath: worker.path, method, path: url, headers, agent: false, signal });
    sent.once("response", (answer) => {
      // The worker may respond, and close the connection, before it has read the body.
      sent.on("error", () => answer.destroy());
      resolve(answer);
    });
    sent.once("error", (cause) => reject(workerCrashed(cause)));
    if (body) return void sent.end(body);
    streams(request);
    request.pipe(sent);
  });
}

function headersFor({ rawHeaders, headers, socket }: IncomingMessage, body: Buffer | undefined): string[] {
  const kept: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const [name = "", value = ""] = rawHeaders.slice(index, index + 2);
    if (!notForwarded.has(name.toLowerCase())) kept.push(name, value);
  }
  const hasLength = headers["content-length"] !== undefined;
  const isChunked = headers["transfer-encoding"] !== undefined;
  if (body && isChunked && !hasLength) kept.push("Content-Length", String(body.length));
  else if (isChunked) kept.push("Transfer-Encoding", "chunked");
  // The gateway closes the connection. If a worker did, a last write to it would fail, and its response would be lost.
  kept.push(clientHeader, socket.remoteAddress ?? "", "Connection", "keep-alive");
  return kept;
}

function pass(answer: IncomingMessage, response: ServerResponse): void {
  const { statusCode = 502, statusMessage, rawHeaders } = answer;
  const headers: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const [name = "", value = ""] = rawHeaders.slice(index, index + 2);
    if (!notForwarded.has(name.toLowerCase())) headers.push(name, value);
  }
  response.writeHead(statusCode, statusMessage, headers);
  // A worker that ends in the middle of a response: the caller must not take it for a complete one.
  answer.once("error", () => response.destroy());
  answer.once("aborted", () => response.destroy());
  answer.pipe(response);
}

function workerCrashed(cause: unknown): RunnerError {
  return new RunnerError("WORKER_CRASHED", "The process that handled this request ended.", {
    fix: "Start a new session: this one, if there was one, has ended.",
    cause,
  });
}
